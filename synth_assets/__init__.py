"""synth_assets: a taxonomy of seed examples becomes a trusted data set and a LoRA-tuned student.

    taxonomy -> seed_examples -> synthetic_samples -> reward_filtered_set -> lora_checkpoint -> evaluation

Every arrow is a Dagster asset, every row can be traced back to its seeds, and every stage is gated.
"""

__version__ = "0.1.0"
