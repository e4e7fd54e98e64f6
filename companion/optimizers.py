"""Adam in one pass over memory, and the learning rate's linear decay."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("companion")
class Adam(keras.optimizers.Adam):
    """Keras' Adam with the same results, faster: all of a weight's update is one operation.

    Keras computes it as a chain of a dozen operations, each of which reads and writes arrays of
    the weight's size; the pix2pix U-Net has 54 million weights. Settings as in Keras.
    Source: Kingma and Ba 2015, the remark before section 2.1 on the order of computation.
    """

    def update_step(self, gradient, variable, learning_rate):
        if self.amsgrad or isinstance(gradient, tf.IndexedSlices):
            return super().update_step(gradient, variable, learning_rate)
        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.cast(self.beta_1, variable.dtype) ** step,
            beta2_power=tf.cast(self.beta_2, variable.dtype) ** step,
            lr=tf.cast(learning_rate, variable.dtype),
            beta1=tf.cast(self.beta_1, variable.dtype),
            beta2=tf.cast(self.beta_2, variable.dtype),
            epsilon=tf.cast(self.epsilon, variable.dtype),
            grad=tf.cast(gradient, variable.dtype),
        )


@keras.saving.register_keras_serializable("companion")
class LinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Keep the learning rate for some steps, then lower it to zero along a line.

    learning_rate:  the constant rate, then the rate at which the line begins
    constant_steps: steps at that rate, 0 or more
    decay_steps:    steps from there to zero, 1 or more

    A schedule rather than a callback, so that it counts the optimizer's own steps and a resumed
    run goes on where it was. Raises ValueError for other numbers of steps.
    Source: CycleGAN paper, section 4: as many epochs constant as falling.
    """

    def __init__(self, learning_rate, constant_steps, decay_steps):
        if constant_steps < 0 or decay_steps < 1:
            raise ValueError(
                f"LinearDecay wants constant_steps of at least 0 and decay_steps of at least 1, "
                f"not {constant_steps} and {decay_steps}: pass the number itself to keep the "
                f"learning rate constant."
            )
        self.learning_rate = learning_rate
        self.constant_steps = constant_steps
        self.decay_steps = decay_steps

    def __call__(self, step):
        left = self.constant_steps + self.decay_steps - keras.ops.cast(step, "float32")
        return self.learning_rate * keras.ops.clip(left / self.decay_steps, 0.0, 1.0)

    def get_config(self):
        return {
            "learning_rate": self.learning_rate,
            "constant_steps": self.constant_steps,
            "decay_steps": self.decay_steps,
        }
