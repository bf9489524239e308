/** Seconds since the start as a clock shows them, rounded: `0:05`, `12:30`, `1:02:03`. */
export function showClock(seconds: number): string {
  const all = Math.round(seconds);
  const two = (value: number): string => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(all / 3_600), Math.floor(all / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(all % 60)}` : `${minutes}:${two(all % 60)}`;
}
