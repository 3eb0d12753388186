"""The closed world from which the embedded models are trained, their trainer, and the bundled data.

vocabulary, leaf_kinds, leaves, primitives   the world: words, templates, exact verifiers
tokenizer, episodes, packing                 the world as token rows
network, trainer                             a lean Llama and its training loop
language_models, reward_world, reward_models what is trained: student base, teacher, reward model
bundle, sampling, cards, commands            bundled data, the teacher's answers, model cards, the stages
"""
