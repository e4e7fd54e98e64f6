"""The layers every network of the book is made of."""

import keras

from companion._checks import whole_number


def initializer():
    """Return a fresh N(0, 0.02) kernel initializer (pix2pix paper, section 6.2).

    A fresh one for every layer: Keras gives an initializer without a seed one seed of its own, so
    two layers of the same shape that share the object start with identical kernels.
    """
    return keras.initializers.RandomNormal(mean=0.0, stddev=0.02)


def normalization(kind):
    """Return a new normalization layer for feature maps of shape (N, H, W, C).

    "batch":    one mean per channel, over N, H and W; learned scale and shift
    "instance": one mean per picture and channel, over H and W; nothing learned
    "layer":    one mean per picture, over H, W and C; learned scale and shift per channel
    "group":    one mean per picture and group of channels (32 groups, the group-norm paper's
                default; the channels must divide into them); learned scale and shift per channel
    "none":     the identity

    Epsilon is 1e-5 and the moving statistics keep 0.9 of their old value at each step, as in the
    CycleGAN authors' PyTorch code (Keras' own defaults are 1e-3 and 0.99).

    Raises ValueError for any other kind.
    """
    scale = keras.initializers.RandomNormal(mean=1.0, stddev=0.02)
    if kind == "batch":
        return keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, gamma_initializer=scale)
    if kind == "instance":
        return keras.layers.GroupNormalization(groups=-1, epsilon=1e-5, center=False, scale=False)
    if kind == "layer":
        return keras.layers.GroupNormalization(groups=1, epsilon=1e-5)
    if kind == "group":
        return keras.layers.GroupNormalization(groups=32, epsilon=1e-5)
    if kind == "none":
        return keras.layers.Identity()
    raise ValueError(f'norm is {kind!r}; choose "batch", "instance", "layer", "group" or "none".')


def normalized_like(model, inputs, like):
    """Return what `model` answers to `inputs` with the statistics that `like` has inside it.

    Each instance normalization takes the mean and the spread of `like`'s feature maps there instead
    of those of `inputs`. So the answer shows what the kernels see of `inputs`, apart from what they
    overhear of the whole picture through the normalizations.

    inputs, like: batches (N, H, W, C) of equal shape, or lists of them for a model of more inputs

    Raises ValueError for other shapes, and for a model without instance normalization.
    """
    borrowing = []

    def from_second_half(x, norm):
        mean, variance = keras.ops.moments(keras.ops.split(x, 2)[1], [1, 2], keepdims=True)
        mean, variance = (keras.ops.concatenate([each, each]) for each in (mean, variance))
        x = (x - mean) / keras.ops.sqrt(variance + norm.epsilon)
        return x * (norm.gamma if norm.scale else 1) + (norm.beta if norm.center else 0)

    def borrow(layer):
        group = keras.layers.GroupNormalization
        if isinstance(layer, group) and layer.groups == layer.input.shape[-1]:  # each map alone
            borrowing.append(layer)
            return keras.layers.Lambda(lambda x: from_second_half(x, layer))
        return layer  # itself, with its weights

    def joined(one, other):
        if one.shape != other.shape:
            raise ValueError(
                f"inputs and like need equal shapes, not {one.shape} and {other.shape}."
            )
        return keras.ops.concatenate([one, other])

    clone = keras.models.clone_model(model, clone_function=borrow, recursive=True)
    if not borrowing:
        raise ValueError(f"The model {model.name} has no instance normalization to borrow for.")
    return keras.ops.split(clone(keras.tree.map_structure(joined, inputs, like)), 2)[0].numpy()


@keras.saving.register_keras_serializable("companion")
class ReflectionPadding2D(keras.layers.Layer):
    """Continue the picture beyond its edges by its mirror image, without repeating the edge.

    (N, H, W, C) becomes (N, H + 2 * padding, W + 2 * padding, C); H and W must exceed the padding.

    Raises ValueError where they do not, and for a padding that is no whole number.
    """

    def __init__(self, padding=1, **kwargs):
        super().__init__(**kwargs)
        self.padding = whole_number("padding", padding, least=0)

    def call(self, x):
        p = self.padding
        if any(side is not None and side <= p for side in x.shape[1:3]):
            raise ValueError(
                f"A padding of {p} mirrors {p} pixels beside the edge, but the maps have the shape "
                f"{tuple(x.shape)}: use larger pictures or less padding."
            )
        return keras.ops.pad(x, [[0, 0], [p, p], [p, p], [0, 0]], mode="reflect")

    def get_config(self):
        return {**super().get_config(), "padding": self.padding}


@keras.saving.register_keras_serializable("companion")
class WeightNormalization(keras.layers.Wrapper):
    """Learn each output channel's kernel as a length g times a direction: g * v / ||v||.

    layer: a Conv2D or Dense layer; its own kernel becomes v, and g starts as ||v||, so that the
           wrapped layer starts as it would have without

    Input and output as of the layer. A kernel of zeros has no direction and stays one of zeros
    until it is trained. Raises ValueError for any other layer.
    Source: Salimans and Kingma 2016, equation 2, without their data-dependent start (section 3).
    """

    def __init__(self, layer, **kwargs):
        if not isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
            raise ValueError(f"WeightNormalization wraps a Conv2D or a Dense layer, not {layer}.")
        super().__init__(layer, **kwargs)

    def _length(self):
        v = self.layer.kernel
        squares = keras.ops.sum(keras.ops.square(keras.ops.reshape(v, (-1, v.shape[-1]))), axis=0)
        return keras.ops.sqrt(keras.ops.maximum(squares, 1e-12))  # never 0: it divides

    def build(self, input_shape):
        super().build(input_shape)
        channels = self.layer.kernel.shape[-1]
        self.g = self.add_weight((channels,), lambda shape, dtype: self._length(), name="g")

    def call(self, x):
        v = self.layer.kernel
        # Inside this scope the layer finds another value where its kernel is.
        with keras.StatelessScope([(v, self.g * v / self._length())]):
            return self.layer(x)
