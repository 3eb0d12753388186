"""Which prompts and responses may not be in a preference pair: what overlaps held-out questions, gives somebody away,
or repeats a source.

As for samples, with one difference: a response is dropped also where the recipe redacts, since nobody preferred what it
would say then. Prompts are looked at before any is answered: what copies a source is told with the response.
"""

from collections.abc import Sequence

from synth_assets.assets.held_out import held_out_questions, held_out_rows
from synth_assets.assets.recipe_parts import trained_sets
from synth_assets.quality.privacy import AskedResponse, ResponseRefusals, find_hidden
from synth_assets.recipe import Recipe
from synth_assets.records import DocumentChunk, SeedExample
from synth_assets.reward import BENCHMARK_OVERLAP, BenchmarkIndex, PreferencePrompt, Refusal, SampledResponse


class PairRefusals:
    """What is held out is read once. Raises BenchmarkError, RealDataError."""

    def __init__(self, recipe: Recipe, seeds: Sequence[SeedExample], chunks: Sequence[DocumentChunk]) -> None:
        self._privacy = recipe.trust.privacy
        trained = [spec.leaf_path for spec in trained_sets(recipe)]
        self._of_responses = ResponseRefusals(seeds, chunks, recipe.trust.privacy, trained)
        self._held_out = BenchmarkIndex(held_out_questions(recipe), recipe.filter.overlap_ngram, held_out_rows(recipe))

    def of_prompts(self, prompts: Sequence[PreferencePrompt]) -> dict[str, Refusal]:
        """By the id of the prompt; none for a prompt that may be asked."""
        texts = [(prompt.text,) for prompt in prompts]
        found = zip(prompts, find_hidden(texts, self._privacy), strict=True)
        said = {prompt.prompt_id: self._refusal(prompt, "", hidden) for prompt, hidden in found}
        return {prompt_id: refusal for prompt_id, refusal in said.items() if refusal}

    def of_responses(
        self, prompts: Sequence[PreferencePrompt], responses: Sequence[SampledResponse]
    ) -> dict[str, Refusal]:  # fmt: skip
        """By the id of the response, which is looked through with its prompt: the answer to it may be a phone number."""
        asked = {prompt.prompt_id: prompt for prompt in prompts}
        said = [response for response in responses if response.text]
        found = self._of_responses.find([_asked_response(asked[each.prompt_id], each) for each in said])
        refusals = {
            each.response_id: self._refusal(asked[each.prompt_id], each.text, next(iter(reasons.items()), None))
            for each, reasons in zip(said, found, strict=True)
        }
        return {response_id: refusal for response_id, refusal in refusals.items() if refusal}

    def _refusal(self, prompt: PreferencePrompt, response: str, hidden: tuple[str, str] | None) -> Refusal | None:
        if overlap := self._held_out.overlap(*prompt.asked, response):
            return Refusal(BENCHMARK_OVERLAP, overlap)
        return Refusal(*hidden) if hidden else None


def _asked_response(prompt: PreferencePrompt, response: SampledResponse) -> AskedResponse:
    """As the checks read it of the stored tables (`quality.preference_suites`)."""
    return AskedResponse(response.response_id, prompt.context, prompt.asked[1], response.text, prompt.text)
