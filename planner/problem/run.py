"""`run/1`: one exact layout of one training run on one cluster, for `plan estimate`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import ceil
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema, model_validator

from planner.catalog.precisions import find_precision
from planner.catalog.records import Accelerator, ModelArchitecture
from planner.errors import InputError, Issue
from planner.problem.document import read_document
from planner.problem.layout_rules import (
    divides,
    divides_batch,
    divides_experts,
    layer_slots,
    undivided_by_tensor,
)
from planner.problem.quantities import (
    AcceleratorReference,
    Bandwidth,
    Batch,
    CalibrationFile,
    Count,
    Degree,
    Duration,
    Memory,
    Price,
    Reference,
    Tokens,
    batch_in_sequences,
)
from planner.problem.schema_base import Rule, RulesBrokenError, SchemaFile, SchemaModel
from planner.problem.training import Precision, Training
from planner.units import QuantityError


class RunTraining(Training):
    """How the model is trained, and on what."""

    tokens: Tokens
    """Tokens of the whole run, such as `14.8T`."""
    sequence_length: Annotated[int, Field(ge=1, le=100_000_000, strict=True, examples=[4096])]
    """Tokens per sequence."""
    global_batch: Batch
    """Sequences per optimizer step; tokens where it says so, such as `4M tokens`."""

    @model_validator(mode="before")
    @classmethod
    def _batch_is_in_sequences(cls, data: object) -> object:
        return batch_in_sequences(data)


class Cluster(SchemaModel):
    """The devices and what joins them."""

    accelerator: AcceleratorReference
    """A name in the accelerator catalog, or the path of an accelerator record."""
    gpus: Count
    """Number of devices."""
    network: Bandwidth | None = None
    """Scale-out bandwidth per device and direction, such as `400 Gb/s`; default: what is usual for the device."""
    price: Price | None = None
    """Price, such as `$2/GPU-h` or `$16/node-h`; default: no cost is computed."""


class Recompute(SchemaModel):
    """Which activations the backward pass computes again."""

    kind: Literal["none", "selective", "full"] = "none"
    full_layers: Annotated[int, Field(ge=1, le=10_000, strict=True)] | None = None
    """Layers per stage that are recomputed in full; None: all of them when the kind is full."""


def parse_recompute(value: object) -> Recompute:
    """Recompute from `none`, `selective`, `full` or `{full_layers: 4}`."""
    if isinstance(value, Recompute):
        return value
    if value in ("none", "selective", "full"):
        return Recompute(kind=value)
    layers = value.get("full_layers") if isinstance(value, dict) and len(value) == 1 else None
    if isinstance(layers, int) and not isinstance(layers, bool) and 1 <= layers <= 10_000:
        return Recompute(kind="full", full_layers=layers)
    fix = "write none, selective, full or {full_layers: 4}"
    raise QuantityError(f"{str(value)[:60]!r} is not a recompute choice", fix)


def recompute_as_written(recompute: Recompute) -> str | dict[str, int]:
    """What the file says for a choice."""
    return {"full_layers": recompute.full_layers} if recompute.full_layers else recompute.kind


_KINDS = {"enum": ["none", "selective", "full"]}
_FULL_LAYERS = {
    "type": "object",
    "properties": {"full_layers": {"type": "integer", "minimum": 1, "maximum": 10_000}},
    "required": ["full_layers"],
    "additionalProperties": False,
}
RecomputeChoice = Annotated[
    Recompute,
    PlainValidator(parse_recompute),
    PlainSerializer(recompute_as_written),
    WithJsonSchema({"anyOf": [_KINDS, _FULL_LAYERS], "examples": ["selective"]}),
]


class RunLayout(SchemaModel):
    """How the model is cut over the devices."""

    tensor: Degree = 1
    """Tensor-parallel degree; default 1."""
    pipeline: Degree = 1
    """Pipeline stages; default 1."""
    context: Degree = 1
    """Context-parallel degree (a sequence over several devices); default 1."""
    expert: Degree = 1
    """Expert-parallel degree, taken from the data, context and tensor degrees; default 1."""
    data: Count | None = None
    """Data-parallel replicas; default: what the GPUs leave."""
    micro_batch: Count = 1
    """Sequences per micro-batch; default 1."""
    virtual_pipeline: Degree = 1
    """Virtual stages per device (interleaved schedule); default 1."""
    recompute: RecomputeChoice = Recompute()
    """Activations that the backward pass recomputes: none, selective, full or `{full_layers: n}`; default none."""
    zero: Annotated[int, Field(ge=0, le=3, strict=True, examples=[1])] = 1
    """ZeRO stage: 0 nothing, 1 optimizer, 2 and gradients, 3 and weights are sharded over the replicas; default 1."""
    shard: Count | None = None
    """Devices that states are sharded over, repeated between such groups (HSDP); default: data · context, all."""
    expert_tensor: Degree = 1
    """Tensor-parallel degree inside an expert; default 1."""

    @property
    def model_parallel(self) -> int:
        """Devices of one replica: tensor · pipeline · context."""
        return self.tensor * self.pipeline * self.context


class Measured(SchemaModel):
    """What a run measured, once its warm-up was over."""

    step: Duration | None = None
    """Time of a step, such as `18.9s`: the median of some dozens."""
    peak_memory: Memory | None = None
    """Most memory that the framework had allocated on the fullest device, such as `71.2 GiB`."""

    def broken_rules(self) -> Iterator[Rule]:
        """The rules between these keys that do not hold."""
        if self.step is None and self.peak_memory is None:
            yield Rule(("measured",), "measured states neither step nor peak_memory", "add for example step: 18.9s")
        if self.step == 0:
            yield Rule(("measured", "step"), "a step takes more than no time", "write for example step: 18.9s")


class Run(SchemaFile):
    """One exact layout of one training run, for `plan estimate`."""

    format: Annotated[Literal["run/1"], Field(alias="schema")]
    """Always `run/1`."""
    name: Annotated[str, Field(max_length=200, examples=["Llama 3 405B"])] = ""
    """What the run is called; default: the model's name."""
    model: Reference
    """A name in the model catalog, the path of a Hugging Face `config.json`, or the architecture inline."""
    training: RunTraining
    cluster: Cluster
    layout: RunLayout = RunLayout()
    calibration: CalibrationFile | None = None
    """A file that `plan learn` or `plan calibrate` wrote, such as `ours.toml`; default: the catalog's calibration."""
    measured: Measured | None = None
    """What the run measured, for `plan learn`; default: nothing."""

    @property
    def replicas(self) -> int:
        """Data-parallel replicas: as stated, or what the GPUs leave."""
        return self.layout.data or self.cluster.gpus // self.layout.model_parallel

    @property
    def microbatches(self) -> int:
        """Micro-batches per replica and step."""
        return self.training.global_batch // (self.replicas * self.layout.micro_batch)

    @model_validator(mode="after")
    def _degrees_fit(self) -> Self:
        measured = self.measured.broken_rules() if self.measured else ()
        if broken := [*self.training.broken_rules(), *measured, *_degrees_that_do_not_fit(self)]:
            raise RulesBrokenError(broken)
        return self


def load_run(path: str | Path, sets: Iterable[str] = ()) -> Run:
    """Reads a run file (`-`: standard input) with `--set` overrides. Raises InputError with every issue."""
    return Run.of(read_document(path, sets))


def _degrees_that_do_not_fit(run: Run) -> Iterator[Rule]:
    """The rules between degrees, GPUs and batch that do not hold."""
    layout, gpus, batch = run.layout, run.cluster.gpus, run.training.global_batch
    cut = f"tensor {layout.tensor} × pipeline {layout.pipeline} × context {layout.context}"
    if layout.data and layout.model_parallel * layout.data != gpus:
        message = f"{cut} × data {layout.data} = {layout.model_parallel * layout.data} GPUs, but cluster.gpus is {gpus}"
        yield Rule(("layout", "data"), message, "leave data out, or change a degree or cluster.gpus")
    elif not divides(layout.model_parallel, gpus):
        message = f"{cut} = {layout.model_parallel} does not divide cluster.gpus {gpus}"
        yield Rule(("cluster", "gpus"), message, f"write gpus: {_multiple(gpus, layout.model_parallel)}")
    else:
        yield from _batch_and_experts(run, batch)
    if not divides(layout.context, run.training.sequence_length):
        message = f"context {layout.context} does not divide sequence_length {run.training.sequence_length}"
        yield Rule(("layout", "context"), message, "use a degree that divides it")
    if layout.virtual_pipeline > 1 and layout.pipeline == 1:
        message = f"virtual_pipeline {layout.virtual_pipeline} needs a pipeline of more than one stage"
        yield Rule(("layout", "virtual_pipeline"), message, "leave virtual_pipeline out")


def _batch_and_experts(run: Run, batch: int) -> Iterator[Rule]:
    """The rules on batch and experts, once the number of replicas is known."""
    layout = run.layout
    if not divides_batch(batch, run.replicas, layout.micro_batch):
        message = f"data {run.replicas} × micro_batch {layout.micro_batch} does not divide global_batch {batch}"
        nearest = _multiple(batch, run.replicas * layout.micro_batch)
        yield Rule(("training", "global_batch"), message, f"write global_batch: {nearest}")
    devices = run.replicas * layout.context * layout.tensor
    if not divides(layout.expert * layout.expert_tensor, devices):
        inside = f" × expert_tensor {layout.expert_tensor}" if layout.expert_tensor > 1 else ""
        message = f"expert {layout.expert}{inside} does not divide data · context · tensor = {devices}"
        yield Rule(("layout", "expert"), message, "use a degree that divides it")
    if layout.shard and not divides(layout.shard, run.replicas * layout.context):
        message = f"shard {layout.shard} does not divide data · context = {run.replicas * layout.context}"
        yield Rule(("layout", "shard"), message, "use a degree that divides it")
    if "parameters" in run.training.offload and layout.zero < 3:
        yield Rule(("training", "offload"), "offloaded parameters need ZeRO 3, which shards them", "write zero: 3")


def _multiple(number: int, of: int) -> int:
    """The multiple of `of` nearest to `number`, at least one of it."""
    return max(1, round(number / of)) * of


def check_layout(
    run: Run, architecture: ModelArchitecture, accelerator: Accelerator, *, counts_embedding: bool = False
) -> None:
    """Checks what only the model, the device and the stack can tell: divisibility, stages, experts, precision.

    `counts_embedding` says whether the stack deals out embedding and loss like layers.

    Raises InputError with every issue, each at the key that states it.
    """
    slots = layer_slots(architecture, counts_embedding=counts_embedding)[-1]
    rules = [
        *_model_rules(run, architecture),
        *_stage_rules(run.layout, architecture, slots),
        *_expert_rules(run, architecture),
        *_device_rules(run, accelerator),
    ]
    if rules:
        raise InputError(Issue(rule.message, run.place(*rule.path), rule.fix) for rule in rules)


def _model_rules(run: Run, model: ModelArchitecture) -> Iterator[Rule]:
    """Heads, widths and ranks."""
    yield from (
        Rule(("layout", "tensor"), one.message, one.fix) for one in undivided_by_tensor(model, run.layout.tensor)
    )
    if run.training.multi_token_prediction and not model.multi_token_prediction_layers:
        message = f"{model.name} has no multi-token-prediction modules"
        yield Rule(("training", "multi_token_prediction"), message, "leave multi_token_prediction out")
    if run.training.adapter_rank > model.hidden_size:
        message = f"rank {run.training.rank} is more than the hidden size {model.hidden_size} of {model.name}"
        yield Rule(("training", "rank"), message, "use a rank such as 16")


def _stage_rules(layout: RunLayout, model: ModelArchitecture, slots: int) -> Iterator[Rule]:
    """Layers against stages, virtual stages and recomputed layers; `slots` is what a stack may deal to the chunks."""
    layers, stages = model.num_hidden_layers, layout.pipeline * layout.virtual_pipeline
    if layout.pipeline > layers:
        message = f"pipeline {layout.pipeline} has more stages than the {layers} layers of {model.name}"
        yield Rule(("layout", "pipeline"), message, f"use at most {layers} stages")
    elif stages > layers and stages != slots:
        cut = f"pipeline {layout.pipeline} × virtual_pipeline {layout.virtual_pipeline} = {stages}"
        message = f"{cut} is more than the {layers} layers of {model.name}"
        yield Rule(("layout", "virtual_pipeline"), message, f"use at most {layers // layout.pipeline}")
    elif (layout.recompute.full_layers or 0) > ceil(layers / layout.pipeline):
        longest = ceil(layers / layout.pipeline)
        message = f"full_layers {layout.recompute.full_layers} is more than the {longest} layers of a stage"
        yield Rule(("layout", "recompute"), message, "write recompute: full")


def _expert_rules(run: Run, model: ModelArchitecture) -> Iterator[Rule]:
    """Experts against the expert degree."""
    expert = run.layout.expert
    if expert > 1 and not model.is_moe:
        yield Rule(("layout", "expert"), f"expert {expert}, but {model.name} has no experts", "leave expert out")
    elif not divides_experts(model, expert):
        message = f"expert {expert} does not divide the {model.n_routed_experts} experts of {model.name}"
        yield Rule(("layout", "expert"), message, "use a degree that divides them")
    inside = run.layout.expert_tensor
    if inside > 1 and (not model.is_moe or not divides(inside, model.moe_intermediate_size)):
        message = f"expert_tensor {inside} does not divide the experts' width {model.moe_intermediate_size}"
        yield Rule(("layout", "expert_tensor"), message, "use a degree that divides it")


def _device_rules(run: Run, accelerator: Accelerator) -> Iterator[Rule]:
    """Precision against what the device computes in; 16 bit is there in one form or the other."""
    precision = run.training.precision
    if not find_precision(precision).runs_on(accelerator):
        message = f"{accelerator.name} has no {precision}"
        usable = [known for known in get_args(Precision) if known in accelerator.peak_tflops]
        yield Rule(("training", "precision"), message, f"use one of {', '.join(usable)}")
