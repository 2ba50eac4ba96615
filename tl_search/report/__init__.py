"""Floor 4: what a run found, told to people. Reads the run's files and nothing else.

`findings` and `outcome` read a search run, `trajectory` adds up what its pulls say, `sentences` puts it in words.
`tables` prints it, `figures` draws it, `html` makes the page, `tensorboard` the event files; `training_run` prints
the revisions of a training run. `write.write_report(folder)` does all that fits the folder.
"""
