import numpy as np
import pytest

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
    assert losses.cycle(BLACK, WHITE) == 20
    assert losses.identity(BLACK, WHITE) == 10
    assert losses.cycle(BLACK, WHITE, weight=1.0) == 2
