import { expect, it } from "vitest";
import { labelled, linePath, niceMax } from "./scale";

it.each([
  [0, 4],
  [Number.NaN, 4],
  [5, 6],
  [11, 12],
  [17, 20],
  [37, 40],
  [68, 80],
  [210, 300],
  [1_001, 1_200],
])("an axis for %d ends at %d", (value, end) => expect(niceMax(value)).toBe(end));

it.each([
  [3, 6, [0, 1, 2]],
  [60, 4, [0, 15, 30, 45]],
  [0, 4, []],
])("of %d places, with room for %d labels, these get one", (length, most, places) => {
  expect(labelled(length, most)).toEqual(places);
});

it("leaves gaps where nothing was measured", () => {
  const path = linePath(
    [1, 2, null, 3, null],
    (index) => index,
    (value) => value,
  );
  expect(path).toBe("M0.0 1.0L1.0 2.0M1.0 3.0h4");
});
