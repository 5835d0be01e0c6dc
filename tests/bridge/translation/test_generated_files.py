"""Names of generated files come from the model and from the code that it ran."""

from __future__ import annotations

from itertools import count

import pytest

from threadbridge.translation.generated_files import GeneratedFiles, get_base_name


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("report 1.csv", "report 1.csv"),
        ("12:30 größe….csv", "12:30 größe….csv"),
        (".hidden", ".hidden"),
        ("/mnt/data/plot.png", "plot.png"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("C:\\x\\y.txt", "y.txt"),
        ("C:y.txt", "y.txt"),
        ("a/C:y.txt", "y.txt"),
        ("a\0/\r\nb.txt", "b.txt"),
        ("evil\u202egnp.exe", "evilgnp.exe"),
        ("", ""),
        ("..", ""),
        ("a/..", ""),
        ("a/", ""),
    ],
)
def test_a_name_has_no_directories(sent: str, name: str) -> None:
    assert get_base_name(sent) == name


def test_files_of_a_turn_have_names_without_directories() -> None:
    numbers = count(1)
    files = GeneratedFiles(lambda prefix: f"{prefix}_{next(numbers)}")

    files.register_container_file("cntr_1", "cfile_1", "../../.ssh/authorized_keys")
    files.register_container_file("cntr_1", "cfile_2", "..")
    files.register_inline_image("data:image/png/../../x;base64,AAAA")

    assert [file.filename for file in files.files] == ["authorized_keys", "file-2", "x"]
