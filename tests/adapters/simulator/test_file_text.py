"""Documents that file search indexes: what of their text is found, and what cannot be read."""

from __future__ import annotations

import io
import zipfile

import pytest

from tests.adapters.simulator.simulator_client import send_request, upload_file
from threadbridge.api_types import JsonObject
from threadbridge_adapters.simulator import Simulator

_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_A = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
_DOCX = (
    f'<w:document {_W}><w:body><w:p><w:r><w:t>Fish </w:t></w:r><w:r><w:t xml:space="preserve">&amp; chips</w:t></w:r>'
    "</w:p><w:tbl><w:tr><w:tc><w:p><w:r><w:t>Price</w:t><w:tab/><w:t>12</w:t></w:r></w:p></w:tc></w:tr></w:tbl>"
    "</w:body></w:document>"
)
_HTML = """<!DOCTYPE html><html><head><title>Menu</title><style>p { color: red }</style>
<script>let hidden = "secret";</script></head><body><h1>Fish</h1><p>and <b>chips</b> &amp; peas</p></body></html>"""


def _zip(parts: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _slide(text: str) -> str:
    return f"<p:sld {_A}><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:sld>"


def _pdf(text: str) -> bytes:
    """The smallest PDF with one line of text."""
    content = f"BT /F1 12 Tf 20 100 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out = bytearray(b"%PDF-1.4\n")
    offsets: list[int] = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return bytes(out + b"trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % start)


async def _index(simulator: Simulator, name: str, content: bytes | str) -> tuple[JsonObject, str]:
    """The file in a new vector store, and its indexed text."""
    file = await upload_file(simulator, content, name=name)
    store = await send_request(simulator, "POST", "/vector_stores", {"file_ids": [file["id"]]})
    path = f"/vector_stores/{store['id']}/files/{file['id']}"
    indexed = await send_request(simulator, "GET", path)
    chunks = await send_request(simulator, "GET", f"{path}/content")
    return indexed, "".join(chunk["text"] for chunk in chunks["data"])


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("menu.docx", _zip({"[Content_Types].xml": "<Types/>", "word/document.xml": _DOCX}), "Fish & chips\nPrice\t12"),
        (
            "menu.pptx",
            _zip({f"ppt/slides/slide{n}.xml": _slide(f"slide {n}") for n in (1, 10, 2)}),
            "slide 1\nslide 2\nslide 10",
        ),
        ("menu.html", _HTML, "Menu\nFish\nand chips & peas"),
        ("menu.py", "print('fish')\n", "print('fish')\n"),
        ("menu.TXT", "fish".encode("utf-16"), "fish"),
    ],
)
async def test_the_text_of_a_document_is_indexed(
    simulator: Simulator, name: str, content: bytes | str, text: str
) -> None:
    indexed, indexed_text = await _index(simulator, name, content)

    assert (indexed["status"], indexed["last_error"]) == ("completed", None)
    assert indexed_text == text


async def test_the_text_of_a_pdf_is_indexed_and_found(simulator: Simulator) -> None:
    pytest.importorskip("pypdf")

    indexed, text = await _index(simulator, "menu.pdf", _pdf("Fish and chips"))
    found = await send_request(
        simulator, "POST", f"/vector_stores/{indexed['vector_store_id']}/search", {"query": "chips"}
    )

    assert (indexed["status"], text.strip()) == ("completed", "Fish and chips")
    assert [hit["filename"] for hit in found["data"]] == ["menu.pdf"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.docx", b"PK\x03\x04 damaged"),
        ("x.docx", _zip({"other.xml": "<x/>"})),
        ("x.pptx", b"not an archive"),
        ("x.pdf", b"%PDF"),
        ("x.pdf", b"no document at all"),
    ],
)
async def test_a_damaged_document_fails_with_a_reason(simulator: Simulator, name: str, content: bytes) -> None:
    pytest.importorskip("pypdf")

    indexed, text = await _index(simulator, name, content)

    assert (indexed["status"], text) == ("failed", "")
    assert indexed["last_error"] == {
        "code": "invalid_file",
        "message": "The file could not be parsed because it is damaged or not of its type.",
    }


async def test_a_document_of_a_type_that_is_not_simulated_fails(simulator: Simulator) -> None:
    indexed, _ = await _index(simulator, "x.doc", b"\xd0\xcf\x11\xe0")

    assert indexed["status"] == "failed"
    assert indexed["last_error"]["code"] == "unsupported_file"


async def test_a_small_archive_with_large_parts_fails(simulator: Simulator) -> None:
    bomb = _zip({"word/document.xml": "\0" * (65 * 1024 * 1024)})

    indexed, _ = await _index(simulator, "bomb.docx", bomb)

    assert indexed["last_error"]["code"] == "invalid_file"
