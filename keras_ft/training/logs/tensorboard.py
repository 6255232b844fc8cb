"""`events/`: the curves of a run for TensorBoard."""

from pathlib import Path

from keras_ft.training.logs.step_log import StepLog, curve_of


class TensorBoardLog(StepLog):
    """`train/…` every so many steps, `validation/…` at every evaluation.

    Args:
        folder: `tensorboard --logdir` reads it.
        every: steps from one point to the next.
        resumed_step: where training goes on; later events that a killed run left are hidden by TensorBoard.
    """

    def __init__(self, folder: Path, every: int, resumed_step: int):
        super().__init__(every, resumed_step)
        import tensorflow as tf

        self.summary = tf.summary
        self.writer = tf.summary.create_file_writer(str(folder))

    def record(self, values: dict[str, float]) -> None:
        """Write one scalar a value."""
        with self.writer.as_default(step=self.step):
            for name, value in values.items():
                self.summary.scalar(curve_of(name), value)

    def close(self) -> None:
        """Close the file."""
        self.writer.close()
