"""What the columns of the tables mean, as the Dagster UI shows it. Names and types come from the records.

One name means one thing in every table; the few exceptions stand under "table.column". A test holds the two together.
"""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from synth_assets.frames import schema_of
from synth_assets.records import TABLES

DESCRIPTIONS = {
    "bound": "the number that is held against the threshold: an end of the interval, or the value",
    "ci_high": "upper end of the interval",
    "ci_low": "lower end of the interval",
    "direction": "at_most or at_least: on which side of the threshold the bound must stay",
    "measure": "what was measured",
    "num_reference": "real rows that it was computed from",
    "num_synthetic": "synthetic rows that it was computed from",
    "real_example_id": "content hash of the row",
    "report": "the report that measured it",
    "severity": "block, warn or info: what follows if it fails",
    "subject": "what it was measured on: a feature, a branch, a group, or all",
    "threshold": "what the bound is held against",
    "measures.value": "the figure",
    "measures.verdict": "passed, failed, or why there is none",
    "measures.detail": "the rows it is about, or why nothing was assessed",
    "agreement": "other methods that prefer the chosen response as well",
    "chosen": "the better response",
    "chosen_model": "fingerprint of the model that wrote the chosen response",
    "chosen_response_id": "content hash of the chosen response and of the request that it answers",
    "chosen_reward": "reward of the chosen response; empty without a reward model",
    "decided_by": "ground_truth, judge or reward: who says which response is the better one",
    "disagreement": "other methods that prefer the rejected response",
    "margin": "reward of the chosen response less that of the rejected one",
    "preference_pair_id": "content hash of the pair",
    "preference_pairs.prompt": "the conversation that is answered, as JSON: role and content of each turn",
    "preference_pairs.synthetic_ancestry": "that of the prompt",
    "prompt_id": "the prompt that was answered",
    "rejected": "the worse response",
    "rejected_model": "fingerprint of the model that wrote the rejected response",
    "rejected_response_id": "content hash of the rejected response and of the request that it answers",
    "rejected_reward": "reward of the rejected response; empty without a reward model",
    "adapter_path": "folder of the LoRA adapter, relative to the warehouse",
    "adapter_sha256": "hash of the adapter's weights",
    "ancestors": "fingerprints of all models that it descends from",
    "answer": "the answer",
    "base_answer": "what the base student answered",
    "benchmark": "folder of the questions that decided",
    "benchmark_question_id": "content hash of the held-out question",
    "branch": "knowledge, foundational_skills or compositional_skills",
    "candidate_index": "which candidate of its leaf this was, counted from 0",
    "char_end": "where the text ends in its document, exclusive",
    "char_start": "where the text starts in its document",
    "checkpoint_id": "content hash of the tuned adapter and what it was made of",
    "coherence": "reward attribute, from 0 to 4",
    "column": "column in the file, counted from 1",
    "complexity": "reward attribute, from 0 to 4",
    "context": "what the question is about; empty where it stands by itself",
    "correctness": "reward attribute, from 0 to 4",
    "created_by": "who wrote the leaf node",
    "creators": "who made the work, as declared",
    "delta": "chance with which the bound of epsilon may fail; empty without differential privacy",
    "detail": "what exactly was wrong",
    "document_chunk_id": "content hash of the piece of a document",
    "document_commit": "revision of the document's repository",
    "document_outline": "what the documents are about",
    "document_patterns": "which files of the repository belong to the leaf",
    "document_repo": "where the documents lie; local means the recipe's folder",
    "domain": "field of knowledge, of knowledge leaves",
    "epsilon": "what any one training row may change of the adapter, at most; empty without differential privacy",
    "expected": "what would have been right",
    "file": "the file, relative to the taxonomy root",
    "fingerprint": "content hash of the model's folder",
    "gain": "student_exact less teacher_exact, on the same questions",
    "generation": "how many teachers stand before it, counted from 0",
    "generation_id": "content hash of both models and the questions",
    "generations.generation_depth": "of the student: the greatest depth among its training rows and its base",
    "generation_depth": "0 real, else 1 + the greatest depth among its parents and the model that wrote it",
    "heading": "headings above the text",
    "helpfulness": "reward attribute, from 0 to 4",
    "instruction": "what is asked of the student",
    "instruction_prompt": "the prompt from which the teacher wrote the instruction",
    "is_accepted": "whether the judge accepted it",
    "is_chosen": "whether its phase ends with this candidate; the student is the last phase's",
    "is_promoted": "whether it may be the next teacher: the interval of its gain lies above zero",
    "is_right": "whether the answer is the one right answer",
    "judge": "which judge",
    "judged_case_id": "content hash of the case and how it was spoiled",
    "is_truncated": "whether questions were longer than the student can read, and lost their beginning",
    "key": "path of the key in the file",
    "leaf_node_id": "content hash of the leaf node, its seeds included",
    "leaf_path": "place of the leaf node in the taxonomy",
    "licence": "the work's licence, as declared",
    "line": "line in the file, counted from 1",
    "link": "where the work is found",
    "message": "what is wrong",
    "metric": "the harness's measure, after a comma the filter of the answers",
    "model": "base or tuned student",
    "model_path": "folder of the tuned student with its adapter merged in, relative to the warehouse",
    "must_accept": "whether a judge must accept it: seed examples, unless spoiled on purpose",
    "num_examples": "rows that its phase was trained on",
    "num_failed": "rows that ended in an error",
    "num_fewshot": "solved examples in front of each question",
    "num_in": "rows that came in",
    "num_kept": "rows that go on",
    "num_prompt_tokens": "tokens of the prompt",
    "num_questions": "questions that were asked",
    "num_rejected": "rows that a rule turned away",
    "num_response_tokens": "tokens of the response",
    "num_seed_examples": "questions with answers in the leaf node",
    "num_steps": "optimizer steps in its phase",
    "open_question_id": "content hash of the question",
    "comparisons.outcome": "whose answer was preferred in both orders; inconsistent: another one in each",
    "outcome": "rejected by a rule, or failed with an error",
    "parent": "fingerprint of the teacher whose samples it was tuned on",
    "parent_path": "that teacher, as the recipe names it",
    "phase": "part of the training: knowledge, then skills, or all stacked",
    "phase_position": "which phase this is, counted from 0",
    "position": "order, counted from 0",
    "prompt": "what the student reads",
    "question": "the question",
    "reasons_base_first": "what the judge judged by, with the base student's answer as A",
    "reasons_tuned_first": "what the judge judged by, with the tuned student's answer as A",
    "reasons": "what the judge judged by, in its own words",
    "rejection_reason": "why the row went no further",
    "request_seed": "the seed of this one request to the teacher",
    "response": "the teacher's response",
    "response_logprob": "mean natural log-probability of the response's tokens",
    "response_prompt": "the prompt from which the teacher wrote the response",
    "revision": "which version of the work",
    "reward": "weighted sum of the five attributes, or, without a reward model, the mean rank of the judges' verdicts",
    "reward_model": "fingerprint of the reward model; empty where the judges' verdicts are the reward",
    "selection_score": "share of right answers by which a phase chose; empty where it ends with its last step",
    "seed_example_id": "content hash of the seed example",
    "seed_example_ids": "the seed examples that stood in the prompt",
    "source": "synthetic or seed where it is new; replay of what the base knew; of an earlier phase",
    "document_chunks.source": "the document, as a relative path",
    "split": "train or validation",
    "real_examples.split": "reference: what is compared with; holdout: what nothing is ever made from",
    "spoiled_by": "the rule by which a seed example was spoiled, or none",
    "stage": "the stage of the pipeline",
    "stderr": "standard error of the value",
    "student": "fingerprint of the student's base",
    "student_exact": "share of right answers of the tuned student",
    "suite": "taxonomy: what was taught; retained: what the base knew before",
    "supporting_span": "the words of the text by which a judge found the response faithful; of knowledge leaves",
    "synthetic_sample_id": "content hash of the sample, the same in every table",
    "synthetic_ancestry": "share of its parents, seed examples and document chunk, that a model wrote",
    "task": "task or group of the lm-evaluation-harness",
    "task_description": "what the leaf node teaches",
    "teacher": "fingerprint of the teacher",
    "teacher_exact": "share of right answers of the teacher to the same questions",
    "text": "the text itself",
    "title": "name of a work that the leaf node was made from",
    "train_loss_first": "loss at the start, nats per response token",
    "train_loss_last": "loss at the end, nats per response token",
    "training_example_id": "content hash of the training row",
    "tuned_answer": "what the tuned student answered",
    "validation_loss": "loss on rows that were not trained on, nats per response token",
    "value": "what was found",
    "harness_scores.value": "the figure, a share from 0 to 1",
    "verbosity": "reward attribute, from 0 to 4",
    "verdict": "what the judge said; empty where no verdict could be read",
    "verdict_base_first": "A, B or tie, with the base student's answer as A; empty where no verdict could be read",
    "verdict_tuned_first": "A, B or tie, with the tuned student's answer as A",
    "verdicts": "what the judges said, as judge: verdict; empty without judges",
    "version": "version of the file's format",
}


#: Columns that come from columns of another name: "table.column" -> (upstream table, column).
RENAMED = {
    "synthetic_samples.seed_example_ids": [("seed_examples", "seed_example_id")],
    "synthetic_samples.instruction_prompt": [("seed_examples", "question"), ("document_chunks", "text")],
    "synthetic_samples.response_prompt": [("seed_examples", "question"), ("seed_examples", "answer")],
    "synthetic_samples.instruction": [("seed_examples", "question")],
    "synthetic_samples.context": [("document_chunks", "text")],
    "scored_samples.reward": [("synthetic_samples", "instruction"), ("synthetic_samples", "response")],
    "training_mix.prompt": [("reward_filtered_set", "context"), ("reward_filtered_set", "instruction")],
    "lora_checkpoint.num_examples": [("training_mix", "training_example_id")],
    "evaluation.model": [("lora_checkpoint", "checkpoint_id")],
    "harness_scores.model": [("lora_checkpoint", "checkpoint_id")],
}


def column_lineage(table: str, upstream: Sequence[str]) -> dict[str, Any]:
    """The metadata from which the UI shows where a column comes from: columns of the same name, and RENAMED."""
    columns = {name: set(schema_of(TABLES[name])) for name in upstream}
    lineage = {}
    for column in schema_of(TABLES[table]):
        sources = [(name, column) for name in upstream if column in columns[name]]
        sources += RENAMED.get(f"{table}.{column}", [])
        lineage[column] = [dg.TableColumnDep(asset_key=dg.AssetKey(name), column_name=source) for name, source in sources]
    return {"dagster/column_lineage": dg.TableColumnLineage({name: deps for name, deps in lineage.items() if deps})}


def column_schema(table: str) -> dict[str, Any]:
    """The metadata from which the Dagster UI shows a table's columns; keys are Dagster's own."""
    columns = [
        dg.TableColumn(
            name, str(dtype), DESCRIPTIONS.get(f"{table}.{name}", DESCRIPTIONS.get(name, "")),
        )
        for name, dtype in schema_of(TABLES[table]).items()
    ]  # fmt: skip
    return {"dagster/column_schema": dg.TableSchema(columns)}
