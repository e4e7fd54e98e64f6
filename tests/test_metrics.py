import numpy as np
import pytest
import scipy.linalg
import tensorflow as tf
from scipy import ndimage

from companion import features, metrics

RNG = np.random.default_rng(0)
TARGET = RNG.uniform(-1, 1, (3, 16, 16, 3)).astype("float32")
OFF = np.clip(TARGET + np.array([0.0, 0.1, 0.5])[:, None, None, None], -1, 1).astype("float32")


def test_mean_absolute_error_is_one_number_per_picture():
    np.testing.assert_allclose(
        metrics.mean_absolute_error(TARGET, OFF), np.abs(TARGET - OFF).mean((1, 2, 3)), rtol=1e-6
    )


def test_psnr_knows_that_the_range_is_two():
    black, white = np.full((1, 16, 16, 3), -1.0), np.ones((1, 16, 16, 3))
    assert metrics.psnr(black, white) == pytest.approx(0)
    assert metrics.psnr(black, black + 0.2) == pytest.approx(20, rel=1e-5)


def test_ssim_is_one_for_equal_pictures_and_falls():
    equal, near, far = metrics.ssim(TARGET, OFF)
    assert equal == pytest.approx(1)
    assert 1 > near > far


def test_ssim_agrees_with_its_definition_on_flat_pictures():
    dark, light = np.full((1, 11, 11, 1), -0.5), np.full((1, 11, 11, 1), 0.5)
    c1 = (0.01 * 2) ** 2
    expected = (2 * 0.5 * 1.5 + c1) / (0.5**2 + 1.5**2 + c1)  # counted from black
    assert metrics.ssim(dark, light) == pytest.approx(expected, rel=1e-4)


def test_ssim_is_that_of_the_same_pictures_in_bytes():
    by_tensorflow = tf.image.ssim((TARGET + 1) * 127.5, (OFF + 1) * 127.5, max_val=255)
    np.testing.assert_allclose(metrics.ssim(TARGET, OFF), by_tensorflow, rtol=1e-3)


@pytest.mark.parametrize("metric", [metrics.mean_absolute_error, metrics.psnr, metrics.ssim])
def test_bad_pictures_are_refused(metric):
    with pytest.raises(ValueError, match=r"\(3, 16, 16, 3\).*\(2, 16, 16, 3\)"):
        metric(TARGET, OFF[:2])
    with pytest.raises(ValueError, match=r"\(its output\) wants .* to 255"):
        metric(TARGET, np.full_like(TARGET, 255))
    with pytest.raises(ValueError, match=r"\(its target\) wants float pictures in \[-1, 1\]"):
        metric(np.full_like(TARGET, np.nan), OFF)
    with pytest.raises(ValueError, match=r"\(its target\) wants .* not uint8"):
        metric(np.zeros(TARGET.shape, "uint8"), OFF)


@pytest.mark.parametrize(
    "metric", [metrics.mean_absolute_error, metrics.psnr, metrics.ssim], ids=lambda m: m.__name__
)
def test_a_single_picture_is_refused(metric):
    with pytest.raises(ValueError, match=r"\(N, H, W, C\), not \(16, 16, 3\): .* picture\[None\]"):
        metric(TARGET[0], OFF[0])


@pytest.mark.parametrize("height, width", [(10, 16), (16, 10)])
def test_ssim_refuses_pictures_smaller_than_its_window(height, width):
    with pytest.raises(
        ValueError, match=f"11x11 pixels, .* shape .3, {height}, {width}, 3. do not"
    ):
        metrics.ssim(TARGET[:, :height, :width], OFF[:, :height, :width])


def test_recognition_by_hand():
    labels = np.array([[0, 0, 0, 7], [7, 7, 7, 7]])
    recognized = np.array([[0, 0, 7, 7], [7, 7, 0, 3]])  # nobody labelled a 3
    assert metrics.recognition(labels, recognized) == {
        "pixel_accuracy": 5 / 8,
        "class_accuracy": pytest.approx((2 / 3 + 3 / 5) / 2),
        "iou": pytest.approx((2 / 4 + 3 / 6) / 2),
    }
    assert metrics.recognition(labels, labels) == dict.fromkeys(
        ["pixel_accuracy", "class_accuracy", "iou"], 1.0
    )
    with pytest.raises(ValueError, match=r"\(2, 4\) labels and \(1, 4\) names differ in shape"):
        metrics.recognition(labels, recognized[:1])


def test_colourfulness_is_zero_for_grey_and_agrees_with_a_count_by_hand():
    grey = np.repeat(TARGET[..., :1], 3, axis=-1)
    np.testing.assert_allclose(metrics.colourfulness(grey), 0, atol=1e-4)
    # Half red, half blue (255 levels): red - green is 255 or 0, (red + green) / 2 - blue 127.5 or
    # -255; spreads are half of the differences, offsets the means.
    picture = -np.ones((1, 4, 4, 3), "float32")
    picture[:, :2, :, 0] = picture[:, 2:, :, 2] = 1
    expected = np.hypot(127.5, 191.25) + 0.3 * np.hypot(127.5, 63.75)
    assert metrics.colourfulness(picture) == pytest.approx(expected, rel=1e-5)
    assert metrics.colourfulness(picture / 2) == pytest.approx(expected / 2, rel=1e-5)
    for channels in [1, 4]:
        with pytest.raises(ValueError, match=rf"need 3 channels.*4, {channels}\)"):
            metrics.colourfulness(np.zeros((1, 4, 4, channels)))


def crowd(count, seed, mean=0.0, spread=1.0):
    return np.random.default_rng(seed).normal(mean, spread, (count, 5))


def test_frechet_distance_agrees_with_its_formula():
    a = crowd(40, 0) @ np.random.default_rng(9).normal(size=(5, 5))  # correlated
    b = crowd(60, 1, mean=0.3)
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    root = scipy.linalg.sqrtm(cov_a @ cov_b).real
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a + cov_b - 2 * root)
    assert metrics.frechet_distance(a, b) == pytest.approx(expected)
    assert metrics.frechet_distance(b, a) == pytest.approx(expected)


def test_frechet_distance_by_hand():
    # Means 0 and 3, standard deviations 1 and 2 in one dimension: 3 squared plus 1 squared.
    a = np.array([[-1.0], [1.0], [0.0]])
    assert metrics.frechet_distance(a, 3 + 2 * a) == pytest.approx(9 + 1)
    assert metrics.frechet_distance(a, a[::-1]) == pytest.approx(0, abs=1e-9)  # order is nothing


def test_frechet_distance_of_fewer_pictures_than_features_is_a_number():
    wide = np.random.default_rng(0).normal(size=(7, 50))
    assert metrics.frechet_distance(wide, wide) == pytest.approx(0, abs=1e-9)
    assert metrics.frechet_distance(wide[:3], wide[3:]) > 1


def test_kernel_distance_agrees_with_sums_over_pairs():
    a, b = crowd(6, 0), crowd(4, 1, mean=0.5)

    def k(x, y):
        return (x @ y / 5 + 1) ** 3

    within_a = np.mean([k(x, y) for i, x in enumerate(a) for j, y in enumerate(a) if i != j])
    within_b = np.mean([k(x, y) for i, x in enumerate(b) for j, y in enumerate(b) if i != j])
    between = np.mean([k(x, y) for x in a for y in b])
    assert metrics.kernel_distance(a, b) == pytest.approx(within_a + within_b - 2 * between)


def test_few_pictures_bias_the_frechet_distance_and_not_the_kernel_distance():
    def average(distance, count):
        return np.mean([distance(crowd(count, s), crowd(count, 999 + s)) for s in range(300)])

    assert average(metrics.frechet_distance, 10) > 5 * average(metrics.frechet_distance, 100) > 0
    assert abs(average(metrics.kernel_distance, 10)) < 0.1
    far = metrics.kernel_distance(crowd(100, 0), crowd(100, 1, mean=1))
    assert far > 1


@pytest.mark.parametrize("distance", [metrics.frechet_distance, metrics.kernel_distance])
def test_features_that_cannot_be_compared_are_refused(distance):
    with pytest.raises(ValueError, match=r"\(4, 5\) and \(4, 6\) are not two sets of rows"):
        distance(np.ones((4, 5)), np.ones((4, 6)))
    with pytest.raises(ValueError, match="average maps of features over their places"):
        distance(np.ones((4, 2, 2, 5)), np.ones((4, 2, 2, 5)))
    with pytest.raises(ValueError, match="fewer than two pictures"):
        distance(np.ones((1, 5)), np.ones((4, 5)))
    with pytest.raises(ValueError, match="NaN"):
        distance(np.full((4, 5), np.nan), np.ones((4, 5)))


@pytest.fixture(scope="module")
def blobs():
    """17 pictures of 32 pixels: soft blobs of colour with some grain, more than one batch."""
    noise = np.random.default_rng(0).normal(size=(17, 32, 32, 3))
    soft = ndimage.gaussian_filter(noise, (0, 3, 3, 0)) * 6 + 0.2 * noise
    return np.clip(soft, -1, 1).astype("float32")


def test_perceptual_distance_agrees_with_its_formula(blobs):
    other = np.clip(blobs + 0.3 * blobs[::-1], -1, 1)
    layers = ["block1_conv2", "block3_conv1"]
    one, two = features.vgg(layers)(blobs), features.vgg(layers)(other)
    expected = 0
    for layer in layers:
        x, y = (f[layer].numpy().astype("float64") for f in (one, two))
        x, y = (z / np.sqrt((z**2).sum(-1, keepdims=True)) for z in (x, y))
        expected = expected + ((x - y) ** 2).sum(-1).mean((1, 2))
    np.testing.assert_allclose(
        metrics.perceptual_distance(blobs, other, layers), expected, rtol=1e-3, atol=1e-5
    )


def test_perceptual_distance_is_zero_for_equal_pictures_and_small_for_brighter_ones(blobs):
    np.testing.assert_allclose(metrics.perceptual_distance(blobs, blobs), 0, atol=1e-5)
    brighter = metrics.perceptual_distance(blobs * 0.8, blobs * 0.8 + 0.1)
    others = metrics.perceptual_distance(blobs, np.roll(blobs, 1, axis=0))
    assert brighter.shape == (17,) and (0 < brighter).all() and brighter.max() < others.min() / 2
    assert metrics.perceptual_distance(blobs[:0], blobs[:0]).shape == (0,)


def test_features_that_are_all_zero_have_no_direction():
    assert np.isfinite(metrics._unit(np.zeros((1, 2, 2, 4), "float32"))).all()


def test_perceptual_distance_refuses_what_the_others_refuse(blobs):
    with pytest.raises(ValueError, match="differ in shape"):
        metrics.perceptual_distance(blobs, blobs[:3])
    with pytest.raises(ValueError, match="layers is .*block9"):
        metrics.perceptual_distance(blobs, blobs, ["block9_conv1"])
    with pytest.raises(ValueError, match=r"from 32x32 pixels on, not \(17, 32, 32, 1\)"):
        metrics.perceptual_distance(blobs[..., :1], blobs[..., :1])
    with pytest.raises(ValueError, match="from 32x32 pixels on"):
        metrics.perceptual_distance(blobs[:, :16], blobs[:, :16])
