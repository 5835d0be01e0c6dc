"""A program that uploads and downloads files with our client. `python -m benchmarks._file_transfer URL SMALL LARGE`

It prints its peak resident memory: initially, after the large upload, and after the large download.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import openai

import threadbridge
from benchmarks._processes import read_peak_resident_bytes


def upload(client: openai.OpenAI, path: Path) -> str:
    """Upload the file; returns its id."""
    with path.open("rb") as opened:
        return client.files.create(file=opened, purpose="user_data").id


def download(client: openai.OpenAI, file_id: str) -> int:
    """Download the file in chunks; returns its size."""
    with client.files.with_streaming_response.content(file_id) as response:
        return sum(map(len, response.iter_bytes()))


def _measure_peaks(url: str, small: Path, large: Path) -> list[int]:
    with threadbridge.openai_client(store=":memory:", upstream={"base_url": url, "api_key": "sk-benchmark"}) as client:
        download(client, upload(client, small))
        peaks = [read_peak_resident_bytes(os.getpid())]
        file_id = upload(client, large)
        peaks.append(read_peak_resident_bytes(os.getpid()))
        download(client, file_id)
    return [*peaks, read_peak_resident_bytes(os.getpid())]


if __name__ == "__main__":
    print(*_measure_peaks(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
