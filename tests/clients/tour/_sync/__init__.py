# Generated from ../_async by .ci/unasync.py: edit there.
