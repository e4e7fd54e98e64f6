import numpy as np
import pytest

from companion import metrics

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
    expected = (2 * -0.5 * 0.5 + c1) / (0.5**2 + 0.5**2 + c1)
    assert metrics.ssim(dark, light) == pytest.approx(expected, rel=1e-4)


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
