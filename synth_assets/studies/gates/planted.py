"""What is planted for the study of the gates, in words: gate -> defect with its size, of 2,000 rows.

What the checks of stages are there for is planted by their kind, in a random row of small tables: a blank text, a row that
stands twice, a name that nobody knows, a number beyond its bound or none, a row that is lost, counts that do not add up, an
empty table.
"""

from collections.abc import Mapping

TOO_FEW = "there_are_rows_to_compare_with"
DEFECTS: Mapping[str, str] = {
    "mean_shift": "one feature moved by half a standard deviation",
    "variance_ratio": "one feature with twice the variance",
    "category": "three of 17 leaf nodes dropped",
    "correlation": "one feature mirrored: its correlations change their sign",
    "shape": "one feature in two humps, with the same mean and variance",
    "pair_association": "branches shuffled among the rows",
    "mmd_excess": "half of the leaf nodes dropped",
    "recall": "half of the leaf nodes dropped",
    "coverage": "half of the leaf nodes dropped",
    "leaked_values": "an e-mail address or phone number of a document in one row",
    "personal_data_left": "an e-mail address, phone number or IBAN in one row",
    "secrets_left": "a key of a random provider in one row",
    "copied_share": "2 % of the rows are seed examples",
    "leak_test": "2 % of the rows quote 10 to 12 words of a document chunk that the teacher was shown",
    "dcr_share": "30 % of the rows are seed examples with one word exchanged",
    "leaf_coverage": "a leaf node without rows",
    "leaf_entropy": "80 % of the rows in two of 17 leaf nodes",
    "vendi_ratio": "50 rows, each 40 times",
    "self_bleu_excess": "50 rows, each 40 times",
    "representation_log_ratio": "a group with half of its declared share",
    "acceptance_ratio": "a reward that keeps 0.6 as much of one group",
    "swap_reward_difference": "a reward half a standard deviation lower for one group's words",
    "max_depth": "one row of depth 2",
    "real_share_below_depth_2": "all real rows left out",
    "real_share_from_depth_2": "a quarter of the rows real, where two thirds are in the clean mix",
    "dropped_real_rows": "one real row replaced",
    "holdout_changed": "one word changed in one of 680 rows",
    "distinct_3_ratio": "rows drawn with replacement from 30 % of those of the generation before",
    "vocabulary_ratio": "rows drawn with replacement from 30 % of those of the generation before",
    "leaves_kept": "a leaf node without rows",
    "perplexity_ratio": "words shuffled in the answers of half of the rows that the student is tuned on (ratio about 1.3)",
    "rare_perplexity_ratio": "the same (ratio 1.3 and 1.7 in two seeds)",
    "membership_auc": "110 rows, trained on four times each, against rows that were not trained on",
    "canary_exposure": "numbers that stand 16 times in the training rows, against none",
    "student_accuracy_gap": "one of two groups answered right 25 points less often, 400 questions a group",
}
