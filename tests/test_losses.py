import numpy as np
import pytest
import tensorflow as tf

from companion import losses

SCORES = np.array([[[[-30.0], [0.0], [2.0]]]], "float32")
BLACK, WHITE = np.full((2, 4, 4, 3), -1.0, "float32"), np.ones((2, 4, 4, 3), "float32")


def test_bce_from_logits():
    softplus = np.log1p(np.exp(SCORES.astype("float64")))
    assert float(losses.adversarial(SCORES, real=False)) == pytest.approx(softplus.mean())
    assert float(losses.adversarial(SCORES, real=True)) == pytest.approx((softplus - SCORES).mean())


def test_bce_keeps_its_slope_where_a_sigmoid_would_saturate():
    assert float(losses.adversarial(SCORES[:, :, :1] * 10, real=True)) == pytest.approx(300)


def test_least_squares():
    fake = losses.adversarial(SCORES, real=False, kind="least_squares")
    real = losses.adversarial(SCORES, real=True, kind="least_squares")
    assert float(fake) == pytest.approx((30**2 + 0 + 2**2) / 3)
    assert float(real) == pytest.approx((31**2 + 1 + 1**2) / 3)


def test_unknown_adversarial_loss():
    with pytest.raises(ValueError, match='hinge.*choose "bce" or "least_squares"'):
        losses.adversarial(SCORES, real=True, kind="hinge")


def test_reconstruction_terms_are_means():
    assert losses.l1(BLACK, WHITE) == 2
    assert losses.l2(BLACK, WHITE) == 4
    assert losses.cycle(BLACK, WHITE) == losses.identity(BLACK, WHITE) == 2


def test_losses_of_half_precision_are_computed_in_float32():
    """300 squared is beyond float16, and a sum of 5,000 steps of 0.001 is beyond bfloat16."""
    scores = tf.constant([300.0], "float16")
    assert float(losses.adversarial(scores, real=False, kind="least_squares")) == 90000
    assert losses.adversarial(scores, real=False).dtype == "float32"
    fine = np.linspace(0, 1, 5001)
    half = tf.cast(fine, "bfloat16")
    exact = np.abs(tf.cast(half, "float64").numpy()).mean()
    assert float(losses.l1(tf.zeros_like(half), half)) == pytest.approx(exact, rel=1e-5)
