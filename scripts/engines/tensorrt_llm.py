"""The target tensorrt-llm: compiled engines up to 1.2.1, checkpoints for the PyTorch flow after."""

import argparse
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts.adding import trial
from scripts.adding.errors import AddingError
from scripts.adding.sources import Source
from scripts.engines.choices import Choice, Wishes, choose
from scripts.engines.commands import (
    Command,
    Container,
    Places,
    build_flags,
    checkpoint_command,
    engine_commands,
    help_of,
    in_container,
    quantize_flags,
    trial_command,
)
from scripts.engines.containers import Image, image_of
from scripts.engines.described import described
from scripts.engines.formats import FORMATS
from scripts.engines.gpu_choice import GpuChoice, choose_gpus
from scripts.engines.memory import GIB, weights_bytes
from scripts.engines.profiles import PROFILES
from scripts.engines.running import Runner
from scripts.engines.served_model import Built, write_model
from scripts.engines.source_model import SourceModel, read_source
from scripts.engines.target import Say
from scripts.engines.tensorrt_llm_arguments import add_arguments
from triton_backend.llm.engines.tensorrt_llm_gpus import read_gpus
from triton_backend.llm.json_values import JsonValue
from triton_backend.llm.manifest import CHECKPOINT, ENGINE, GpuBuild

__all__ = ["TensorRtLlmPlan", "add_arguments", "make_plan"]

# Loading reads every byte of the weights twice: the files are hashed first.
_TRIAL_LIMIT_S: Final = 3600.0
MODELOPT: Final = "https://github.com/NVIDIA/TensorRT-Model-Optimizer"
# Stand in a plan for the folder that is made when the build starts, and for a clone of MODELOPT.
_PLANNED: Final = Path("MODEL")
_PLANNED_MODELOPT: Final = Path("MODELOPT")


def make_plan(options: argparse.Namespace, source: Source) -> "TensorRtLlmPlan":
    """The plan; AddingError when what is asked for is impossible."""
    if source.kind != "checkpoint":
        raise AddingError("TensorRT-LLM is built from a Hugging Face folder with safetensors.", 2)
    image = image_of(options.tensorrt_llm)
    model = read_source(source.path)
    gpu = choose_gpus(read_gpus(), options.gpu, options.gpu_memory, options.tp * options.pp)
    wishes = Wishes(
        weights=options.quantization,
        kv_cache=options.kv_cache,
        context_length=options.context,
        max_batch_size=options.max_batch,
        max_num_tokens=options.max_tokens,
        tensor_parallel=options.tp,
        pipeline_parallel=options.pp,
    )
    choice = choose(model, gpu.profile, gpu.total_bytes, wishes, is_engine=image.has_engines)
    _refuse_unused(options, choice)
    return TensorRtLlmPlan(options, source, model, image, gpu, choice)


@dataclass(frozen=True)
class TensorRtLlmPlan:
    """What will be done for one model; see BuildPlan."""

    options: argparse.Namespace
    source: Source
    model: SourceModel
    image: Image
    gpu: GpuChoice
    choice: Choice

    @property
    def disk_bytes(self) -> int:
        """The checkpoint and the engine made of it."""
        return 2 * weights_bytes(self.model, self.choice.shape.weights)

    def described(self) -> str:
        """The plan in words and commands."""
        commands = [*self._commands(_PLANNED / "work"), *self._trial(_PLANNED / "1")]
        return described(self.model, self.gpu, self.image, self.choice, commands)

    def require_machine(self) -> None:
        """Raise AddingError unless the GPUs that are built for are here."""
        if not self.gpu.gpus:
            raise AddingError(
                "An engine is built on the GPU that serves it: --gpu only plans (--dry-run).", 2
            )
        if self._needs_modelopt and self.options.modelopt is None:
            raise AddingError(
                f"A checkpoint in {self.choice.shape.weights} is made by NVIDIA's Model-Optimizer:"
                f" clone {MODELOPT} and name the folder with --modelopt, take a model that is"
                " quantized already, or give --quantization bf16.",
                2,
            )
        self._require_free_memory()

    def _require_free_memory(self) -> None:
        """Raise AddingError where the trial would find the GPU full, hours later."""
        needed = self.choice.memory.needed_bytes(self.choice.shape.context_length)
        full = [gpu for gpu in self.gpu.gpus if gpu.total_bytes and gpu.free_bytes < needed]
        if full and not self.options.no_trial:
            raise AddingError(
                f"GPU {full[0].index} has {full[0].free_bytes / GIB:.1f} GiB free, and the engine"
                f" needs {needed / GIB:.1f} to be tried: unload what runs there, or give"
                " --no-trial."
            )

    @property
    def _needs_modelopt(self) -> bool:
        is_made_here = not self.choice.is_engine and not self.model.quantized_as
        return is_made_here and FORMATS[self.choice.shape.weights].modelopt is not None

    def build(self, folder: Path, say: Say) -> None:
        """Run the commands and put the model together; what they leave behind is removed."""
        work = folder / "work"
        work.mkdir()
        environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        runner = Runner(environ, say)
        commands = self._commands(work)
        for command in commands:
            if command.checked:
                runner.check_flags(help_of(command), command.checked)
        for command in commands:
            runner.run(command)
        write_model(folder, self._built(self._made(work)))
        shutil.rmtree(work)
        for command in self._trial(folder / "1"):
            said, status = runner.listen(command, _TRIAL_LIMIT_S)
            if status:
                say(said)
            say(f"It says: {trial.read_answer(said, status).text!r}")

    def _made(self, work: Path) -> Path:
        """The folder that the commands made."""
        if self.choice.is_engine:
            return work / "engine"
        if self._needs_modelopt:
            made = sorted(work.glob("saved_models_*"))
            if not made:
                raise AddingError("huggingface_example.sh left no checkpoint (saved_models_*).")
            return made[0]
        copied = work / "checkpoint"
        copied.mkdir()
        for path in [*self.model.folder.glob("*.safetensors*"), *self.model.folder.glob("*.json")]:
            shutil.copyfile(path, copied / path.name)
        return copied

    def _commands(self, work: Path) -> list[Command]:
        places = self._places(work)
        if self.choice.is_engine:
            commands = engine_commands(
                self.choice, self.gpu.profile, places, self.options.examples, self._lora_rank()
            )
        elif self._needs_modelopt:
            commands = [checkpoint_command(self.choice, places)]
        else:
            commands = []
        if self.options.no_container:
            return commands
        container = self._container(has_network=self._fetches_calibration())
        return [in_container(command, container, work) for command in commands]

    def _trial(self, version: Path) -> list[Command]:
        """What tries the finished model, unless it is not to be tried."""
        if self.options.no_trial:
            return []
        command = trial_command(version)
        if self.options.no_container:
            return [command]
        return [in_container(command, self._container(has_network=False), None)]

    def _container(self, *, has_network: bool) -> Container:
        num = self.choice.shape.tensor_parallel * self.choice.shape.pipeline_parallel
        indexes = [gpu.index for gpu in self.gpu.gpus] or list(range(num))
        return Container(self.image.name, indexes, has_network=has_network)

    def _places(self, work: Path) -> Places:
        return Places(
            source=self.model.folder,
            work=work,
            calibration=self.options.calibration,
            modelopt=self.options.modelopt or _PLANNED_MODELOPT,
            adapters=tuple(self.options.lora),
        )

    def _fetches_calibration(self) -> bool:
        return _is_calibrated(self.choice) and self.options.calibration is None

    def _lora_rank(self) -> int:
        return max((_rank(adapter) for adapter in self.options.lora), default=0)

    def _built(self, made: Path) -> Built:
        shape = self.choice.shape
        limits: dict[str, JsonValue] = {
            "max_batch_size": shape.max_batch_size,
            "max_num_tokens": shape.max_num_tokens,
        }
        if self.options.lora:
            limits["max_lora_rank"] = self._lora_rank()
        return Built(
            made=made,
            source=self.source,
            model=self.model,
            build=self._gpu_build(made),
            context_length=shape.context_length,
            quantization=shape.weights,
            limits=limits,
            adapters=tuple(self.options.lora),
        )

    def _gpu_build(self, made: Path) -> GpuBuild:
        shape, profile = self.choice.shape, self.gpu.profile
        others = (one.sm for one in PROFILES.values() if shape.weights in one.checkpoint)
        return GpuBuild(
            kind=ENGINE if self.choice.is_engine else CHECKPOINT,
            gpu=self.gpu.name,
            sm=profile.sm,
            runs_on=(profile.sm,) if self.choice.is_engine else tuple(others),
            memory_bytes=self.choice.memory.needed_bytes(shape.context_length),
            tensor_parallel=shape.tensor_parallel,
            pipeline_parallel=shape.pipeline_parallel,
            tensorrt_llm=self.image.tensorrt_llm,
            tensorrt=self.image.tensorrt,
            driver=self.gpu.driver,
            container=self.image.name,
            flags=self._flags(made.parent),
            arguments=tuple(self.options.arguments),
        )

    def _flags(self, work: Path) -> dict[str, str]:
        """What was asked of the tools, without the paths of this machine."""
        if not self.choice.is_engine:
            return {"quant": self.choice.shape.weights}
        places = self._places(work)
        flags = quantize_flags(self.choice, places) | build_flags(
            self.choice, self.gpu.profile, places, self._lora_rank()
        )
        return {name: value for name, value in flags.items() if not Path(value).is_absolute()}


def _is_calibrated(choice: Choice) -> bool:
    return FORMATS[choice.shape.weights].is_calibrated or bool(choice.shape.kv_cache)


def _refuse_unused(options: argparse.Namespace, choice: Choice) -> None:
    """Raise AddingError for an argument that would change nothing, or take another's place."""
    if options.calibration and not (choice.is_engine and _is_calibrated(choice)):
        kind = "engine" if choice.is_engine else "checkpoint"
        raise AddingError(
            f"--calibration changes nothing for a {kind} in {choice.shape.weights}.", 2
        )
    names = [adapter.name for adapter in options.lora]
    if len(set(names)) < len(names):
        raise AddingError("Two adapters of --lora have one name: rename one of the folders.", 2)
    if options.modelopt and choice.is_engine:
        raise AddingError("--modelopt is for checkpoints (TensorRT-LLM 1.3 or later).", 2)


def _rank(adapter: Path) -> int:
    try:
        config = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
        return int(config["r"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AddingError(f"{adapter.name} is no LoRA adapter (adapter_config.json).", 2) from error
