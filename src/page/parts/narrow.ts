/** Whether there is so little room beside each other that what stands in columns stands in lines. As the style sheet has it. */
import { signal } from "@preact/signals";

const query = matchMedia("(max-width: 46rem)");
export const isNarrow = signal(query.matches);
query.addEventListener("change", ({ matches }) => {
  isNarrow.value = matches;
});
