/** The next round number at or above `value`, at least 4; its half is a whole number, too. */
export function niceMax(value: number): number {
  if (!(value > 4)) return 4;
  const power = 10 ** Math.floor(Math.log10(value));
  const factor = [1, 1.2, 1.6, 2, 3, 4, 6, 8, 10].find((factor) => value <= factor * power) ?? 10;
  return factor * power;
}

/** Which of `length` places get a label, when at most `most` have room: evenly, the first one included. */
export function labelled(length: number, most: number): number[] {
  const step = Math.max(1, Math.ceil(length / Math.max(1, most)));
  return Array.from({ length: Math.ceil(length / step) }, (_, index) => index * step);
}

/** How long the stroke of a lone value is. */
const LONE = 4;

/** A line through the values that are there, with a gap where one is missing; a lone one is a short stroke. */
export function linePath(
  values: (number | null)[],
  x: (index: number) => number,
  y: (value: number) => number,
): string {
  let path = "";
  let drawing = false;
  values.forEach((value, index) => {
    if (value === null) {
      drawing = false;
      return;
    }
    const alone = !drawing && (values[index + 1] ?? null) === null;
    const at = `${(x(index) - (alone ? LONE / 2 : 0)).toFixed(1)} ${y(value).toFixed(1)}`;
    path += `${drawing ? "L" : "M"}${at}${alone ? `h${LONE}` : ""}`;
    drawing = true;
  });
  return path;
}
