"""`plan init`: a commented problem file to start from."""

from __future__ import annotations

import click

TEMPLATE = """\
# yaml-language-server: $schema=https://json-schema.org/draft/2020-12/schema
# A training job, where it may run and within which limits. Every quantity carries its unit; `plan check` checks it,
# `plan solve` finds the best plan, `plan schema` states every key.
schema: plan/1
name: my first plan
model: llama3.1-8b              # a catalog name (`plan catalog models`), the path of a config.json, or {hidden_size: …}
training:
  precision: bf16               # bf16, fp16, fp8 (or fp8-cs, fp8-rowwise, fp8-blockwise, mxfp8), fp4 (nvfp4)
  # software: {stack: megatron, release: 2026-03}      # or pytorch-fsdp, pytorch-eager, maxtext …; default: any
  # method: lora                # adapters on a frozen base (rank: 16, base: int8); qlora: on a 4-bit one; default full
  # optimizer: adamw            # or adamw-8bit, paged-adamw-8bit, muon, adafactor, lion, sgd
  # weights: bf16               # pure bf16, states and gradients too; gradients: bf16, moments: bf16 (int8) alone
  # gradient_compression: int8  # of what replicas exchange
  # offload: [optimizer]        # to the hosts' memory: optimizer, parameters (ZeRO 3), activations
  # fused_loss: true            # logits in chunks, never whole
  # document_length: 2048       # mean tokens of documents packed into a sequence
  # multi_token_prediction: true      # train the model's own modules too
  phases:                       # one after another; each gets its own layout and number of nodes
    - {name: pretrain, tokens: 200B, sequence_length: 8192, global_batch: 512}
# schedule:                     # days of the calendar: answers tell dates, and what is due in which month
#   start: 2027-01-04           # the first day
#   deadline: 2027-03-01        # the last day; where limits.deadline is stated too, the tighter one binds
market:
  # accelerators: [H100-80GB-SXM5, H200-141GB-SXM]     # default: every one in the catalogs
  # clouds: [aws, gcp]                                 # default: every one; []: only the offers below
  purchase: [on_demand]         # on_demand, spot, reserved
  # capacity: {aws: 128}        # nodes that a cloud grants you in one zone; default: 64, assumed
  # offers:                     # your own prices and quotas, beside the catalogs'
  #   - {name: ours, accelerator: H100-80GB-SXM5, nodes: 8, on_demand: $2.10/GPU-h}
  #     # with a schedule also from and until (days), closed: [{from: 2027-02-08, to: 2027-02-14}], prices by period
  #     # (on_demand: [{price: $2.90/GPU-h}, {from: 2027-03-01, price: $2.30/GPU-h}]) and capacity blocks
  # committed: {2026 reservation: $310k}               # paid already: told beside the bill, part of no decision
limits:
  deadline: 30d                 # all phases together, failures and restarts included
  # budget: $500k
  gpus: 512                     # at a time
  memory_headroom: 10%          # of each device, left free of the expected peak
  memory_confidence: 90%        # probability that the real peak fits
# layout: {tensor: "<=8", recompute: selective}        # pins and bounds on any degree
objective: cost                 # cost, time or tokens; {cost, value_of_day: $20k} weighs a day's worth
"""


@click.command()
@click.argument("file", metavar="[FILE]", default="-", type=click.Path())
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def init(file: str, *, force: bool) -> None:
    """Write a commented problem file to start from; without FILE, to standard output."""
    from pathlib import Path

    from planner.errors import InputError, Place
    from planner.files import write_whole

    if file == "-":
        return click.echo(TEMPLATE, nl=False)
    if Path(file).exists() and not force:
        raise InputError("the file exists", place=Place(file), fix="give another name, or --force to overwrite it")
    write_whole(file, TEMPLATE)
    return click.echo(f"wrote {file}; next: plan solve {file}", err=True)
