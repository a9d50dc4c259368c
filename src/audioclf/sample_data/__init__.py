"""Small made-up datasets, each with one thing that an audit should find, or with none."""

from audioclf.sample_data.registry import SAMPLES, SampleData, sample_named
from audioclf.sample_data.writing import Written, write_sample

__all__ = ["SAMPLES", "SampleData", "Written", "sample_named", "write_sample"]
