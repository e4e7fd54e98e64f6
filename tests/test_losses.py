import numpy as np
import pytest
import tensorflow as tf

from companion import losses

SCORES = np.array([[[[-30.0], [0.0], [2.0]]]], "float32")
RNG = np.random.default_rng(0)
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


@pytest.mark.parametrize("real", [True, False])
def test_every_score_of_every_picture_counts_the_same(real):
    """Against formulas in float64, on scores of both signs that differ along every axis."""
    scores = np.random.default_rng(0).normal(scale=3, size=(2, 3, 4, 1))
    right = 1 / (1 + np.exp(-scores if real else scores))
    bce = losses.adversarial(scores.astype("float32"), real)
    assert float(bce) == pytest.approx(-np.log(right).mean(), rel=1e-5)
    squares = losses.adversarial(scores.astype("float32"), real, "least_squares")
    assert float(squares) == pytest.approx(((scores - real) ** 2).mean(), rel=1e-5)


def test_every_value_of_every_picture_counts_the_same():
    target, output = np.random.default_rng(0).uniform(-1, 1, (2, 2, 3, 4, 3))
    absolute = pytest.approx(np.abs(target - output).mean(), rel=1e-5)
    assert float(losses.l1(target, output)) == absolute
    assert float(losses.cycle(target, output)) == absolute
    assert float(losses.identity(target, output)) == absolute
    assert float(losses.l2(target, output)) == pytest.approx(((target - output) ** 2).mean(), 1e-5)


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


def test_content_is_a_mean_of_squares():
    target = RNG.normal(size=(2, 3, 4, 5)).astype("float32")
    assert float(losses.content(target, target)) == 0
    assert float(losses.content(target, target + 3)) == pytest.approx(9, rel=1e-5)


def test_gram_matrix_by_hand():
    features = np.array([[[[1, 2], [3, 4], [5, 6]]], [[[1, 0], [0, 1], [0, 0]]]], "float32")
    expected = [[[35, 44], [44, 56]], [[1, 0], [0, 1]]]  # sums over three places
    np.testing.assert_allclose(losses.gram_matrix(features), np.array(expected) / (3 * 2))


def test_gram_matrix_forgets_where_and_how_often():
    features = RNG.normal(size=(1, 4, 6, 3)).astype("float32")
    shuffled = RNG.permutation(features.reshape(24, 3)).reshape(1, 4, 6, 3)
    matrix = losses.gram_matrix(features)
    np.testing.assert_allclose(losses.gram_matrix(shuffled), matrix, rtol=1e-5, atol=1e-6)
    tiled = np.tile(features, (1, 2, 3, 1))
    np.testing.assert_allclose(losses.gram_matrix(tiled), matrix, rtol=1e-5, atol=1e-6)


def test_of_any_size_is_also_of_a_size_known_only_in_the_step():
    shape = tf.TensorSpec((None, None, None, 3))
    pictures = np.random.default_rng(0).normal(size=(2, 6, 5, 3)).astype("float32")
    for loss in losses.gram_matrix, losses.total_variation:
        traced = tf.function(loss, input_signature=[shape])
        np.testing.assert_allclose(traced(pictures), loss(pictures), rtol=1e-5, atol=1e-6)


def test_gram_matrix_of_half_precision_does_not_overflow():
    features = tf.fill((1, 2, 2, 1), tf.constant(300.0, "float16"))
    assert float(losses.gram_matrix(features)[0, 0, 0]) == 90000


def test_style_is_four_times_that_of_gatys():
    features = {"a": RNG.normal(size=(1, 2, 3, 4)), "b": RNG.normal(size=(1, 5, 2, 3))}
    other = {layer: RNG.normal(size=array.shape) for layer, array in features.items()}
    gatys = 0
    for layer in features:
        rows, channels = np.prod(features[layer].shape[1:3]), features[layer].shape[-1]
        ours, theirs = (each[layer].reshape(rows, channels) for each in (features, other))
        difference = ours.T @ ours - theirs.T @ theirs
        gatys += 0.5 * np.sum(difference**2) / (4 * channels**2 * rows**2)
    target = {layer: losses.gram_matrix(array) for layer, array in other.items()}
    assert float(losses.style(target, features)) == pytest.approx(4 * gatys, rel=1e-4)
    first = float(losses.style({"a": target["a"]}, features))  # features of "b" are ignored
    both = float(losses.style(target, features, {"a": 3.0, "b": 0.0}))
    assert both == pytest.approx(3 * first, rel=1e-5)


def test_style_is_a_mean_over_the_batch():
    features = RNG.normal(size=(2, 3, 3, 2)).astype("float32")
    target = {"a": np.zeros((1, 2, 2))}
    apart = [float(losses.style(target, {"a": features[i : i + 1]})) for i in (0, 1)]
    assert float(losses.style(target, {"a": features})) == pytest.approx(np.mean(apart), rel=1e-5)


def test_total_variation_by_hand():
    image = np.array([[0, 3, 9], [4, 9, 9], [9, 9, 9]], "float32")[None, ..., None]
    squares = np.array([3**2 + 4**2, 6**2 + 6**2, 5**2 + 5**2, 0])  # to the right and downwards
    for exponent in (0.5, 1, 1.25):
        value = float(losses.total_variation(image, exponent))
        assert value == pytest.approx((squares**exponent).mean(), rel=1e-5)
    assert losses.total_variation(image) == losses.total_variation(image, 1.25)


def test_total_variation_of_a_flat_picture_has_a_slope():
    image = tf.Variable(tf.zeros((1, 4, 4, 3)))
    with tf.GradientTape() as tape:
        value = losses.total_variation(image, exponent=0.5)
    assert float(value) < 1e-5
    np.testing.assert_array_equal(tape.gradient(value, image), 0)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: losses.gram_matrix(np.zeros((4, 4, 3))), r"\(N, H, W, C\), not \(4, 4, 3\)"),
        (lambda: losses.total_variation(np.zeros((4, 4, 3))), r"not \(4, 4, 3\): there is no step"),
        (lambda: losses.total_variation(np.zeros((1, 1, 4, 3))), r"not \(1, 1, 4, 3\)"),
        (lambda: losses.total_variation(np.zeros((1, 2, 2, 3)), 0), "exponent is 0; pass a number"),
        (lambda: losses.style({}, {}), r"the style's layers \[\]"),
        (lambda: losses.style({"a": 0}, {"b": 0}), r"features are of \['b'\], .* \['a'\]"),
        (lambda: losses.style({"a": 0}, {"a": 0}, {"b": 1}), r"weights are of \['b'\]"),
    ],
)
def test_style_losses_refuse(call, message):
    with pytest.raises(ValueError, match=message):
        call()
