"""What a run would take: time, memory and disk of each stage, foretold from a small probe.

A few clips are decoded and featurized (`probe`), each classifier is fitted on small made-up data
(`trial`), a report is made of a few made-up predictions (`rehearsal`). What that takes is carried
over to the real number of clips, folds and pipelines (`planner`). Nothing is written, and the cache
is looked at but not touched.

Every figure is an estimate. Times are seconds on this machine as busy as it is now, with files
that it has just read; sizes are bytes.
"""
