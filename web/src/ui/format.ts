import { locale, t } from "../texts";

const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
const numbers = new Intl.NumberFormat(locale);
const exact = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium" });
const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(locale, { month: "short", day: "numeric" });

const UNITS = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
] as const;

/** Clocks differ by a little: what is nearer than this is now. */
const NOW_SECONDS = 5;

/** "3 minutes ago"; also of times to come. */
export function ago(at: string | number, now: number): string {
  const seconds = (new Date(at).getTime() - now) / 1000;
  const unit = UNITS.find(([, length]) => Math.abs(seconds) >= length);
  if (unit) return relative.format(Math.trunc(seconds / unit[1]), unit[0]);
  return seconds > NOW_SECONDS ? t.common.soon : t.common.justNow;
}

/** The moment, to the second, in the viewer's zone. */
export const moment = (at: string | number): string => exact.format(new Date(at));

/** The time of day; with the day in front when it is another one. */
export function shortMoment(at: string | number, now: number): string {
  const date = new Date(at);
  const time = clock.format(date);
  return date.toDateString() === new Date(now).toDateString() ? time : `${day.format(date)}, ${time}`;
}

/** "14:05", of another day, too. */
export const clockOf = (at: string | number): string => clock.format(new Date(at));

/** "Nov 22" */
export const dayOf = (at: string | number): string => day.format(new Date(at));

export const count = (number: number): string => numbers.format(number);

/** "1:05" */
export function countdown(seconds: number): string {
  const left = Math.max(0, Math.ceil(seconds));
  return `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
}

/** "350 ms", "1.2 s" */
export function duration(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${numbers.format(Math.round(ms / 100) / 10)} s`;
}

const SPANS = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "min"],
  [1_000, "s"],
] as const;

/** "3 h 5 min": the two largest units of a length of time. */
export function span(ms: number): string {
  const first = SPANS.findIndex(([length]) => ms >= length);
  if (first < 0) return "0 s";
  let left = ms;
  const parts = SPANS.slice(first, first + 2).map(([length, unit]) => {
    const whole = Math.floor(left / length);
    left -= whole * length;
    return whole > 0 ? `${whole} ${unit}` : "";
  });
  return parts.filter(Boolean).join(" ");
}

/** "12 kB" */
export function bytes(size: number): string {
  const units = ["B", "kB", "MB", "GB"];
  let value = size;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${numbers.format(value < 10 && unit > 0 ? Math.round(value * 10) / 10 : Math.round(value))} ${units[unit]}`;
}

/** "+628110000001", of a number or of an id that begins with one. */
export function phone(number: string): string {
  const digits = number.replace(/[@:].*$/, "").replace(/\D/g, "");
  return digits ? `+${digits}` : number;
}
