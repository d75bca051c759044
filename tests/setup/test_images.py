import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from lossdoctor.config.schema import ImageData
from lossdoctor.errors import DataError
from lossdoctor.facts.data import UnreadableSample
from lossdoctor.setup import image_file
from lossdoctor.setup.image_file import UnreadableImageError, read_square
from lossdoctor.setup.images import PhotoFolder, image_files

SIZE = 16


def gradient(height=SIZE, width=SIZE):
    """A smooth picture without any symmetry, so that a turn or a swap of channels shows: uint8 (H, W, 3)."""
    y, x = np.mgrid[0:height, 0:width]
    red, green, blue = x * 200 // width + 20, y * 150 // height + 60, (x + 2 * y) * 60 // (width + height) + 10
    return np.stack((red, green, blue), axis=-1).astype(np.uint8)


def as_tensor(pixels):
    """(H, W, 3) in 0–255 -> (3, H, W) in [0, 1]."""
    return torch.tensor(np.asarray(pixels), dtype=torch.float32).permute(2, 0, 1) / 255


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def png_chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width, height, depth, color_type, rows):
    """A PNG file written by hand, for what Pillow reads but does not write."""
    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", body) + png_chunk(b"IEND", b"")


def folder_of(tmp_path, count=4, **data):
    for index in range(count):
        save(tmp_path / f"photo-{index}.png", np.roll(gradient(), index, axis=0))
    return PhotoFolder(ImageData(images=".", size=SIZE, **data), tmp_path)


class TestFormats:
    @pytest.mark.parametrize(
        ("name", "options"),
        [("a.png", {}), ("a.bmp", {}), ("a.tif", {}), ("a.TIFF", {}), ("a.webp", {"lossless": True})],
    )
    def test_lossless_formats_are_exact(self, tmp_path, name, options):
        file = save(tmp_path / name, gradient(), **options)
        torch.testing.assert_close(read_square(file, SIZE), as_tensor(gradient()))

    @pytest.mark.parametrize("name", ["a.jpg", "a.JPEG", "a.webp"])
    def test_lossy_formats_are_close(self, tmp_path, name):
        file = save(tmp_path / name, gradient(), quality=95)
        torch.testing.assert_close(read_square(file, SIZE), as_tensor(gradient()), atol=0.04, rtol=0)

    def test_large_jpeg_decoded_at_a_fraction_of_its_size(self, tmp_path):
        file = save(tmp_path / "a.jpg", gradient(800, 800), quality=95)
        by_means = as_tensor(gradient(800, 800)).reshape(3, SIZE, 50, SIZE, 50).mean(dim=(2, 4))
        torch.testing.assert_close(read_square(file, SIZE), by_means, atol=0.02, rtol=0)

    def test_grey(self, tmp_path):
        grey = gradient()[..., 0]
        pixels = read_square(save(tmp_path / "a.png", grey), SIZE)
        torch.testing.assert_close(pixels, as_tensor(np.stack([grey] * 3, axis=-1)))

    def test_bilevel(self, tmp_path):
        black_and_white = gradient()[..., 0] > 100
        pixels = read_square(save(tmp_path / "a.png", black_and_white), SIZE)
        assert set(pixels.unique().tolist()) == {0.0, 1.0}
        assert torch.equal(pixels[0].bool(), torch.tensor(black_and_white))

    def test_palette(self, tmp_path):
        colors = np.array([[250, 10, 30], [0, 200, 90]], dtype=np.uint8)
        chosen = (np.indices((SIZE, SIZE)).sum(axis=0) > SIZE).astype(np.uint8)
        image = Image.fromarray(chosen).convert("P")
        image.putpalette(colors.tobytes())
        image.save(tmp_path / "a.png")
        assert (tmp_path / "a.png").read_bytes()[25] == 3  # color type: palette
        torch.testing.assert_close(read_square(tmp_path / "a.png", SIZE), as_tensor(colors[chosen]))

    def test_palette_with_transparent_color_is_laid_on_white(self, tmp_path):
        chosen = np.zeros((SIZE, SIZE), dtype=np.uint8)
        chosen[:, SIZE // 2 :] = 1
        image = Image.fromarray(chosen).convert("P")
        image.putpalette([250, 10, 30, 0, 200, 90])
        image.save(tmp_path / "a.png", transparency=1)
        pixels = read_square(tmp_path / "a.png", SIZE)
        torch.testing.assert_close(pixels[:, 0, 0], torch.tensor([250, 10, 30]) / 255)
        assert (pixels[:, :, SIZE // 2 :] == 1).all()

    @pytest.mark.parametrize("channels", [2, 4])
    def test_transparency_is_laid_on_white(self, tmp_path, channels):
        color = gradient() if channels == 4 else np.stack([gradient()[..., 0]] * 3, axis=-1)
        alpha = np.linspace(0, 255, SIZE, dtype=np.uint8)[:, None].repeat(SIZE, axis=1)
        stored = np.dstack((color if channels == 4 else color[..., 0], alpha))
        pixels = read_square(save(tmp_path / "a.png", stored), SIZE)
        opacity = alpha[..., None] / 255
        torch.testing.assert_close(pixels, as_tensor(opacity * color + (1 - opacity) * 255), atol=1.01 / 255, rtol=0)

    def test_cmyk(self, tmp_path):
        cmyk = np.dstack((gradient(), gradient()[..., 0] // 3))
        Image.fromarray(cmyk, "CMYK").save(tmp_path / "a.tif")
        ink, black = cmyk[..., :3].astype(float), cmyk[..., 3:].astype(float)
        expected = as_tensor((255 - ink) * (255 - black) / 255)
        torch.testing.assert_close(read_square(tmp_path / "a.tif", SIZE), expected, atol=1.01 / 255, rtol=0)

    def test_cmyk_jpeg(self, tmp_path):
        pure_cyan = np.zeros((SIZE, SIZE, 4), dtype=np.uint8)
        pure_cyan[..., 0] = 255
        Image.fromarray(pure_cyan, "CMYK").save(tmp_path / "a.jpg", quality=95)
        pixels = read_square(tmp_path / "a.jpg", SIZE)
        torch.testing.assert_close(pixels.mean(dim=(1, 2)), torch.tensor([0.0, 1, 1]), atol=0.02, rtol=0)

    @pytest.mark.parametrize("name", ["a.png", "a.tif"])
    def test_sixteen_bit_grey_keeps_its_precision(self, tmp_path, name):
        values = np.linspace(0, 65535, SIZE * SIZE).astype(np.uint16).reshape(SIZE, SIZE)
        pixels = read_square(save(tmp_path / name, values), SIZE)
        torch.testing.assert_close(pixels, torch.tensor(values / 65535, dtype=torch.float32).expand(3, -1, -1))

    def test_sixteen_bit_grey_of_big_endian(self, tmp_path):
        values = np.linspace(0, 65535, SIZE * SIZE).astype(">u2").reshape(SIZE, SIZE)
        (tmp_path / "a.png").write_bytes(png(SIZE, SIZE, 16, 0, [row.tobytes() for row in values]))
        expected = torch.tensor(values.astype(float) / 65535, dtype=torch.float32).expand(3, -1, -1)
        torch.testing.assert_close(read_square(tmp_path / "a.png", SIZE), expected)

    @pytest.mark.parametrize(("color_type", "opaque"), [(2, ()), (6, (65535,))])
    def test_sixteen_bit_rgb(self, tmp_path, color_type, opaque):
        values = gradient().astype(">u2") * 257
        rows = [b"".join(np.array((*pixel, *opaque), dtype=">u2").tobytes() for pixel in row) for row in values]
        (tmp_path / "a.png").write_bytes(png(SIZE, SIZE, 16, color_type, rows))
        torch.testing.assert_close(read_square(tmp_path / "a.png", SIZE), as_tensor(gradient()))

    def test_float_tiff_in_the_unit_interval(self, tmp_path):
        values = np.linspace(0, 1, SIZE * SIZE, dtype=np.float32).reshape(SIZE, SIZE)
        pixels = read_square(save(tmp_path / "a.tif", values), SIZE)
        torch.testing.assert_close(pixels, torch.tensor(values).expand(3, -1, -1))

    @pytest.mark.parametrize("worst", [np.nan, 70.0, -1.0])
    def test_float_tiff_of_unknown_range_is_unreadable(self, tmp_path, worst):
        values = np.full((SIZE, SIZE), 0.5, dtype=np.float32)
        values[3, 3] = worst
        with pytest.raises(UnreadableImageError, match="outside 0 to 1"):
            read_square(save(tmp_path / "a.tif", values), SIZE)

    def test_first_frame_of_several(self, tmp_path):
        first, second = Image.fromarray(gradient()), Image.new("RGB", (SIZE, SIZE))
        first.save(tmp_path / "a.tif", save_all=True, append_images=[second])
        torch.testing.assert_close(read_square(tmp_path / "a.tif", SIZE), as_tensor(gradient()))

    def test_stereo_jpeg_of_phones_and_cameras(self, tmp_path):
        first, second = Image.fromarray(gradient()), Image.new("RGB", (SIZE, SIZE))
        first.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[second], quality=95)
        torch.testing.assert_close(read_square(tmp_path / "a.jpg", SIZE), as_tensor(gradient()), atol=0.04, rtol=0)

    def test_content_decides_not_the_suffix(self, tmp_path):
        save(tmp_path / "a.bmp", gradient()).rename(tmp_path / "a.png")
        torch.testing.assert_close(read_square(tmp_path / "a.png", SIZE), as_tensor(gradient()))


# EXIF 2.3, tag 0x0112: what the stored rows and columns are, and so how to turn them upright.
UPRIGHT = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: stored[::-1, ::-1].transpose(1, 0, 2),
    8: lambda stored: np.rot90(stored, 1),
}


class TestOrientationAndCrop:
    @pytest.mark.parametrize("orientation", UPRIGHT)
    def test_exif_orientation(self, tmp_path, orientation):
        exif = Image.Exif()
        exif[0x0112] = orientation
        file = save(tmp_path / "a.png", gradient(), exif=exif)
        expected = as_tensor(UPRIGHT[orientation](gradient()).copy())
        torch.testing.assert_close(read_square(file, SIZE), expected)

    def test_orientation_of_sixteen_bits(self, tmp_path):
        exif = Image.Exif()
        exif[0x0112] = 6
        values = gradient()[..., 0].astype(np.uint16) * 257
        pixels = read_square(save(tmp_path / "a.png", values, exif=exif), SIZE)
        expected = torch.tensor(np.rot90(values, -1).copy() / 65535, dtype=torch.float32)
        torch.testing.assert_close(pixels[0], expected)

    @pytest.mark.parametrize("transpose", [False, True])
    def test_centre_is_cropped(self, tmp_path, transpose):
        wide = gradient(SIZE, 3 * SIZE)
        stored, centre = (wide, wide[:, SIZE : 2 * SIZE])
        if transpose:
            stored, centre = stored.transpose(1, 0, 2).copy(), centre.transpose(1, 0, 2)
        torch.testing.assert_close(read_square(save(tmp_path / "a.png", stored), SIZE), as_tensor(centre.copy()))

    def test_scaling_down_averages(self, tmp_path):
        checkerboard = (np.indices((320, 320)).sum(axis=0) % 2 * 255).astype(np.uint8)
        pixels = read_square(save(tmp_path / "a.png", checkerboard), SIZE)
        torch.testing.assert_close(pixels, torch.full_like(pixels, 0.5), atol=0.02, rtol=0)

    def test_sixteen_bit_edges_do_not_overshoot(self, tmp_path):
        edge = np.zeros((8, 8), dtype=np.uint16)
        edge[:, 4:] = 65535
        pixels = read_square(save(tmp_path / "a.png", edge), 64)
        assert pixels.min() == 0
        assert pixels.max() == 1

    @pytest.mark.parametrize("shape", [(1, 1), (1, 500), (3, 2)])
    def test_tiny_images_are_enlarged(self, tmp_path, shape):
        file = save(tmp_path / "a.png", np.full((*shape, 3), 51, dtype=np.uint8))
        torch.testing.assert_close(read_square(file, SIZE), torch.full((3, SIZE, SIZE), 0.2))


def truncated(name, **options):
    def write(path):
        save(path / name, np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8), **options)
        content = (path / name).read_bytes()
        (path / name).write_bytes(content[: len(content) // 2])

    return write


def write_bytes(name, content):
    return lambda path: (path / name).write_bytes(content)


def postscript(path):
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "EPS")
    (path / "a.png").write_bytes(file.getvalue())


BROKEN = {
    "truncated png": (truncated("a.png"), ""),
    "truncated jpeg": (truncated("a.jpg"), "truncated"),
    "truncated webp": (truncated("a.webp"), ""),
    "truncated bmp": (truncated("a.bmp"), "truncated"),
    "truncated tiff": (truncated("a.tif"), ""),
    "empty": (write_bytes("a.png", b""), "the file is empty"),
    "text": (write_bytes("a.png", b"not an image\n"), "not a PNG, JPEG, WebP, BMP or TIFF image"),
    "header only": (write_bytes("a.jpg", b"\xff\xd8\xff"), ""),
    "program for an interpreter": (postscript, "not a PNG, JPEG, WebP, BMP or TIFF image"),
    "bomb": (write_bytes("a.png", png(12_000, 12_000, 8, 2, [])), "12000 × 12000 pixels, more than the 80,000,000"),
    "huge bomb": (write_bytes("a.png", png(60_000, 60_000, 8, 2, [])), "decompression bomb"),
    "link to nowhere": (lambda path: (path / "a.png").symlink_to("gone.png"), "a link to nowhere"),
    "named pipe": (lambda path: os.mkfifo(path / "a.png"), "not a regular file"),
}


class TestUnreadable:
    @pytest.fixture(params=BROKEN)
    def broken(self, request, tmp_path):
        make, reason = BROKEN[request.param]
        make(tmp_path)
        return tmp_path, reason

    def test_left_out_and_named_with_the_reason(self, broken):
        path, reason = broken
        save(path / "sub" / "fine.png", gradient())
        photos = PhotoFolder(ImageData(images=".", size=SIZE), path)
        (_, target) = photos.__getitems__([0, 1])[0]
        torch.testing.assert_close(target, as_tensor(gradient()))
        (sample,) = photos.unreadable
        assert sample.file.startswith("a.")
        assert reason in sample.reason
        assert str(path) not in sample.reason

    def test_nothing_else_in_the_folder(self, broken):
        path, reason = broken
        with pytest.raises(DataError, match="no image can be read") as caught:
            PhotoFolder(ImageData(images=".", size=SIZE), path)
        assert reason in caught.value.message
        assert caught.value.advice

    def test_bomb_is_refused_before_decoding(self, tmp_path, monkeypatch):
        file = save(tmp_path / "a.png", gradient(20, 20))
        monkeypatch.setattr(image_file, "PIXEL_CAP", 399)
        monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
        with pytest.raises(UnreadableImageError, match="20 × 20 pixels"):
            read_square(file, SIZE)

    def test_image_at_the_cap_is_read(self, tmp_path, monkeypatch):
        monkeypatch.setattr(image_file, "PIXEL_CAP", 400)
        assert read_square(save(tmp_path / "a.png", gradient(20, 20)), SIZE).shape == (3, SIZE, SIZE)

    def test_batches_are_smaller_but_never_empty(self, tmp_path):
        for index in (0, 1, 3):
            (tmp_path / f"{index}.png").write_bytes(b"")
        save(tmp_path / "2.png", gradient())
        save(tmp_path / "4.png", gradient())
        photos = PhotoFolder(ImageData(images=".", size=SIZE), tmp_path)
        assert [len(target) for _, target in DataLoader(photos, batch_size=2)] == [1, 1, 1]
        assert [len(target) for _, target in DataLoader(photos, batch_size=5)] == [2]
        assert photos.unreadable == [UnreadableSample(f"{index}.png", "the file is empty") for index in (0, 1, 3)]

    def test_one_item_is_refused_with_its_path(self, tmp_path):
        photos = folder_of(tmp_path)
        photos.files[1].write_bytes(b"")
        with pytest.raises(DataError, match=r"photo-1\.png: the file is empty"):
            photos[1]

    def test_all_files_gone(self, tmp_path):
        photos = folder_of(tmp_path)
        for file in photos.files:
            file.unlink()
        with pytest.raises(DataError, match="no image can be read"):
            photos.__getitems__([0, 1])


class TestFiles:
    def names(self, root):
        return [file.relative_to(root).as_posix() for file in image_files(root)]

    def test_recursive_sorted_images_only(self, tmp_path):
        wanted = ["Z.jpeg", "a/1.png", "a/b/2.webp", "c.JPG", "c/3.tif", "d.bmp", "é.png"]
        for name in [*wanted, "CREDITS.md", "a/notes.txt", "a/._1.png", ".thumbnails/4.png", "a/png", "e.gif"]:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(b"x")
        assert sorted(self.names(tmp_path)) == sorted(wanted)
        assert self.names(tmp_path) == [p.relative_to(tmp_path).as_posix() for p in sorted(image_files(tmp_path))]

    def test_link_loop(self, tmp_path):
        save(tmp_path / "sub" / "a.png", gradient())
        (tmp_path / "sub" / "up").symlink_to(tmp_path, target_is_directory=True)
        (tmp_path / "self").symlink_to(".", target_is_directory=True)
        assert self.names(tmp_path) == ["sub/a.png"]

    def test_linked_folders_and_files_count_once(self, tmp_path):
        save(tmp_path / "elsewhere" / "a.png", gradient())
        (tmp_path / "root").mkdir()
        (tmp_path / "root" / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
        (tmp_path / "root" / "linked-again").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
        (tmp_path / "root" / "b.png").symlink_to(tmp_path / "elsewhere" / "a.png")
        assert self.names(tmp_path / "root") == ["b.png", "linked/a.png"]

    def test_folder_is_relative_to_the_config(self, tmp_path):
        save(tmp_path / "photos" / "a.png", gradient())
        (tmp_path / "configs").mkdir()
        photos = PhotoFolder(ImageData(images="../photos", size=SIZE), tmp_path / "configs")
        assert [file.name for file in photos.files] == ["a.png"]

    def test_missing_folder(self, tmp_path):
        with pytest.raises(DataError, match="gone: expected a folder of images, which does not exist") as caught:
            PhotoFolder(ImageData(images="gone"), tmp_path)
        assert "relative to the config file" in caught.value.advice

    def test_file_instead_of_folder(self, tmp_path):
        save(tmp_path / "a.png", gradient())
        with pytest.raises(DataError, match="expected a folder of images, found a file"):
            PhotoFolder(ImageData(images="a.png"), tmp_path)

    def test_folder_without_images(self, tmp_path):
        (tmp_path / "CREDITS.md").write_text("thanks")
        with pytest.raises(DataError, match=r"no image in this folder or below it \(looked for \.bmp") as caught:
            PhotoFolder(ImageData(images="."), tmp_path)
        assert caught.value.advice


class TestTasks:
    def test_colorization(self, tmp_path):
        photos = folder_of(tmp_path)
        assert len(photos) == 4
        grey, target = photos[0]
        torch.testing.assert_close(target, as_tensor(gradient()))
        # ITU-R BT.601 luma
        expected = 0.299 * target[0] + 0.587 * target[1] + 0.114 * target[2]
        torch.testing.assert_close(grey, expected[None])

    def test_denoising_noise_has_the_standard_deviation(self, tmp_path):
        save(tmp_path / "a.png", np.full((8, 8, 3), 255, dtype=np.uint8))
        photos = PhotoFolder(ImageData(images=".", task="denoising", size=256, sigma=0.2), tmp_path)
        noisy, target = photos[0]
        noise = noisy - target
        assert noise.shape == (3, 256, 256)
        assert noise.std().item() == pytest.approx(0.2, rel=0.01)
        # Five standard errors; noise clipped at white would have a mean of −0.08.
        assert noise.mean().item() == pytest.approx(0, abs=5 * 0.2 / noise.numel() ** 0.5)

    def test_denoising_noise_belongs_to_index_and_seed(self, tmp_path):
        data = ImageData(images=".", task="denoising", size=SIZE)
        save(tmp_path / "a.png", gradient())
        save(tmp_path / "b.png", gradient())
        first, again, other = (PhotoFolder(data, tmp_path, seed=seed) for seed in (0, 0, 1))
        torch.manual_seed(1)
        second_item = first[1][0]
        torch.manual_seed(2)
        assert torch.equal(first[0][0], again[0][0])
        assert torch.equal(second_item, again[1][0])
        assert not torch.equal(first[0][0], first[1][0])
        assert not torch.equal(first[0][0], other[0][0])

    def test_no_global_random_state_is_used(self, tmp_path):
        photos = folder_of(tmp_path, task="denoising")
        before = torch.get_rng_state()
        photos[0]
        assert torch.equal(before, torch.get_rng_state())

    @pytest.mark.parametrize("factor", [2, 3, 16])
    def test_super_resolution_keeps_the_size_and_loses_detail(self, tmp_path, factor):
        stripes = np.zeros((SIZE, SIZE, 3), dtype=np.uint8)
        stripes[:, ::2] = 255
        save(tmp_path / "a.png", stripes)
        photos = PhotoFolder(ImageData(images=".", task="super-resolution", size=SIZE, factor=factor), tmp_path)
        low, target = photos[0]
        assert low.shape == target.shape == (3, SIZE, SIZE)
        assert low.std() < 0.3 * target.std()
        assert low.min() >= 0
        assert low.max() <= 1

    def test_super_resolution_does_not_overshoot_at_edges(self, tmp_path):
        edge = np.zeros((SIZE, SIZE, 3), dtype=np.uint8)
        edge[:, SIZE // 2 :] = 255
        save(tmp_path / "a.png", edge)
        low, _ = PhotoFolder(ImageData(images=".", task="super-resolution", size=SIZE, factor=4), tmp_path)[0]
        assert low.min() == 0
        assert low.max() == 1

    def test_super_resolution_keeps_what_is_smooth(self, tmp_path):
        photos = folder_of(tmp_path, count=1, task="super-resolution")
        low, target = photos[0]
        torch.testing.assert_close(low, target, atol=0.03, rtol=0)

    def test_super_resolution_beyond_one_pixel(self, tmp_path):
        with pytest.raises(DataError, match=r"data\.factor: expected at most data\.size, 8, found 16"):
            PhotoFolder(ImageData(images=".", task="super-resolution", size=8, factor=16), tmp_path)

    @pytest.mark.parametrize(("task", "channels"), [("colorization", 1), ("denoising", 3), ("super-resolution", 3)])
    def test_shapes_types_and_ranges(self, tmp_path, task, channels):
        photos = folder_of(tmp_path, task=task)
        ((given, target),) = DataLoader(photos, batch_size=4)
        assert given.shape == (4, channels, SIZE, SIZE)
        assert target.shape == (4, 3, SIZE, SIZE)
        assert given.dtype == target.dtype == torch.float32
        assert target.min() >= 0
        assert target.max() <= 1
        if task != "denoising":
            assert given.min() >= 0
            assert given.max() <= 1

    def test_white_is_exactly_one_in_grey(self, tmp_path):
        save(tmp_path / "a.png", np.full((4, 4, 3), 255, dtype=np.uint8))
        grey, _ = PhotoFolder(ImageData(images=".", size=SIZE), tmp_path)[0]
        assert grey.max() <= 1
        assert grey.min() > 1 - 1e-6

    def test_same_files_give_the_same_batches(self, tmp_path):
        photos, again = folder_of(tmp_path), folder_of(tmp_path)
        assert all(torch.equal(photos[i][1], again[i][1]) for i in range(4))


class TestSamplePhotos:
    FOLDER = Path(__file__).parents[2] / "sample_data" / "photos"

    def test_enough_large_enough_and_all_readable(self):
        photos = PhotoFolder(ImageData(images=".", size=64), self.FOLDER)
        assert len(photos.__getitems__(list(range(len(photos))))) == len(photos) >= 32
        assert photos.unreadable == []
        for file in photos.files:
            with Image.open(file) as image:
                assert min(image.size) >= 128

    def test_every_photograph_is_credited_with_a_free_licence(self):
        rows = [line.split(" | ") for line in (self.FOLDER / "CREDITS.md").read_text("utf-8").splitlines()]
        credited = {cells[0].removeprefix("| "): cells for cells in rows if len(cells) == 6}
        names = [file.stem.rsplit("-", 1)[0] for file in image_files(self.FOLDER)]
        for name in set(names):
            _, crops, author, licence, _, link = credited[name]
            assert int(crops) == names.count(name)
            assert author
            assert licence in {"CC0 1.0", "CC BY 2.0", "CC BY 3.0", "CC BY 4.0", "public domain"}
            assert link.startswith("http")

    def test_size_of_all_samples(self):
        samples = self.FOLDER.parent
        assert sum(file.stat().st_size for file in samples.rglob("*") if "runs" not in file.parts) <= 12_000_000
