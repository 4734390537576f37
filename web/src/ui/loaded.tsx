import { Alert, Button, Skeleton, Stack } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import { CircleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { asProblem, type Problem } from "../api/problem";
import { t } from "../texts";

type Asked<T> = Pick<
  UseQueryResult<T, Problem>,
  "data" | "error" | "failureReason" | "refetch" | "isFetching"
>;

/** What was asked for: its outline until it is there, and in words why it is not. What is there stays when asking again fails. */
export function Loaded<T>(props: { query: Asked<T>; outline?: ReactNode; children: (data: T) => ReactNode }) {
  const { data, error, failureReason, refetch, isFetching } = props.query;
  if (data !== undefined) return props.children(data);
  if (error) {
    return (
      <ProblemAlert
        error={error}
        action={
          <Button size="xs" variant="default" loading={isFetching} onClick={() => void refetch()}>
            {t.common.tryAgain}
          </Button>
        }
      />
    );
  }
  return (
    <>
      {failureReason && <ProblemAlert error={failureReason} action={t.common.tryingAgain} />}
      <div role="status" aria-label={t.common.loading}>
        {props.outline ?? <Lines />}
      </div>
    </>
  );
}

function Lines() {
  return (
    <Stack gap="sm">
      <Skeleton height={20} width="40%" />
      <Skeleton height={20} />
      <Skeleton height={20} width="80%" />
    </Stack>
  );
}

/** Why something did not work. */
export function ProblemAlert(props: { error: unknown; title?: string; action?: ReactNode }) {
  if (!props.error) return null;
  const problem = asProblem(props.error);
  return (
    <Alert
      role="alert"
      color="red"
      variant="light"
      mb="md"
      icon={<CircleAlert aria-hidden />}
      title={props.title ?? t.problems.title}
      styles={{ message: { color: "var(--mantine-color-text)" }, title: { color: "var(--bad)" } }}
    >
      <Stack gap="xs" align="start">
        <span>{problem.message}</span>
        {props.action}
      </Stack>
    </Alert>
  );
}
