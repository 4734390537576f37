import { useElementSize } from "@mantine/hooks";
import { type PointerEvent, type ReactNode, useState } from "react";
import classes from "./chart.module.css";
import { labelled, niceMax } from "./scale";

const HEIGHT = 180;
const LEFT = 52;
const BOTTOM = 22;
const TOP = 8;

/** Where things are drawn. */
export interface Plane {
  width: number;
  /** The middle of a bucket. */
  x: (index: number) => number;
  y: (value: number) => number;
  /** The width of a bucket. */
  step: number;
}

/** A light chart: axes, and what `children` draws; the bucket below the pointer is told in the line above. */
export function Chart(props: {
  title: string;
  /** The whole in words, for those who do not see it. */
  summary: string;
  times: string[];
  max: number;
  formatTime: (at: string) => string;
  formatValue: (value: number) => string;
  /** What the bucket says; without one what stands there otherwise: the legend. */
  legend: (index?: number) => ReactNode;
  children: (plane: Plane) => ReactNode;
}) {
  const { ref, width } = useElementSize();
  const [hovered, setHovered] = useState<number>();
  const { times } = props;
  const max = niceMax(props.max);
  const step = times.length > 0 ? Math.max(0, width - LEFT) / times.length : 0;
  const plane: Plane = {
    width,
    step,
    x: (index) => LEFT + (index + 0.5) * step,
    y: (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / max),
  };
  // What would not fit at the end is left out.
  const marks = labelled(times.length, width / 90).filter((at) => plane.x(at) < width - 28);
  const index = hovered !== undefined && hovered < times.length ? hovered : undefined;
  const hover = ({ clientX, currentTarget }: PointerEvent<SVGSVGElement>) => {
    const at = Math.floor((clientX - currentTarget.getBoundingClientRect().left - LEFT) / step);
    setHovered(at >= 0 && at < times.length ? at : undefined);
  };
  return (
    <figure className={classes.chart}>
      <figcaption className={classes.caption}>
        <span className={classes.title}>{props.title}</span>
        <span className={classes.legend}>{props.legend(index)}</span>
      </figcaption>
      <div ref={ref}>
        <svg
          role="img"
          aria-label={`${props.title}. ${props.summary}`}
          width="100%"
          height={HEIGHT}
          onPointerMove={hover}
          onPointerLeave={() => setHovered(undefined)}
        >
          {width > 0 && (
            <>
              {[0, 0.5, 1].map((part) => (
                <g key={part}>
                  <line
                    className={classes.grid}
                    x1={LEFT}
                    x2={width}
                    y1={plane.y(max * part)}
                    y2={plane.y(max * part)}
                  />
                  <text className={classes.axis} x={LEFT - 8} y={plane.y(max * part) + 4} textAnchor="end">
                    {props.formatValue(max * part)}
                  </text>
                </g>
              ))}
              {marks.map((at) => (
                <text key={at} className={classes.axis} x={plane.x(at)} y={HEIGHT - 4} textAnchor="middle">
                  {props.formatTime(times[at] ?? "")}
                </text>
              ))}
              {index !== undefined && (
                <rect
                  className={classes.hovered}
                  x={plane.x(index) - step / 2}
                  width={step}
                  y={TOP}
                  height={HEIGHT - TOP - BOTTOM}
                />
              )}
              {props.children(plane)}
            </>
          )}
        </svg>
      </div>
    </figure>
  );
}

/** A colour and what it stands for, with its value if one is pointed at. */
export function Key(props: { kind: string; text: string; value?: string }) {
  return (
    <span className={classes.key} data-kind={props.kind}>
      {props.text}
      {props.value !== undefined && <b> {props.value}</b>}
    </span>
  );
}
