"""Settings of a training that takes a second, and the run that they make."""

from pathlib import Path

TINY = (
    *("trainer.max_steps=4", "trainer.accelerator=cpu", "logger=none", "tokenizer=bytes", "checkpoint.save_interval=2"),
    *("model.width=16", "model.blocks=2", "model.heads=2", "model.context=16", "schedule.first_epoch_checkpoints=2"),
    *("data=files", f"data.corpus.path={Path(__file__)}", "data.batch_size=2", "data.validation_share=0.2"),
    *("data.validation_batches=2", "optimizer.warmup_steps=1", "eval_interval=2", "callbacks.progress=null"),
)


def only_run() -> Path:
    """The one run in the working directory."""
    (run,) = (path for path in Path("runs/train").iterdir() if path.is_dir())
    return run.resolve()
