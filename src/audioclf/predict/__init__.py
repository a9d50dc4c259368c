"""Prediction on new sounds: many files, long recordings, and the files that results go to."""

from audioclf.predict.events import EventRule, Rollup
from audioclf.predict.inputs import Collected, Recording, collect
from audioclf.predict.job import JobResult, Settings, predict_all
from audioclf.predict.outputs import FORMATS, FormatName
from audioclf.predict.sinks import FileSink, FolderSink, Sink, StreamSink
from audioclf.predict.windows import Cutting, ScoredWindow, model_windows

__all__ = [
    "FORMATS",
    "Collected",
    "Cutting",
    "EventRule",
    "FileSink",
    "FolderSink",
    "FormatName",
    "JobResult",
    "Recording",
    "Rollup",
    "ScoredWindow",
    "Settings",
    "Sink",
    "StreamSink",
    "collect",
    "model_windows",
    "predict_all",
]
