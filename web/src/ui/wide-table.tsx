import "@mantine/core/styles/Table.css";
import { Table } from "@mantine/core";
import type { ReactNode } from "react";
import classes from "./wide-table.module.css";

/** A table that scrolls by itself where the screen is too narrow for it. */
export function WideTable(props: { label: string; head: ReactNode; children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard has to reach what scrolls
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for a form
    <div className={classes.scroll} role="group" aria-label={props.label} tabIndex={0}>
      <Table className={classes.table} verticalSpacing="sm">
        <Table.Thead>
          <Table.Tr>{props.head}</Table.Tr>
        </Table.Thead>
        <Table.Tbody>{props.children}</Table.Tbody>
      </Table>
    </div>
  );
}
