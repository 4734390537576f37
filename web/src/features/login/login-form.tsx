import { Button, PasswordInput, Stack, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation } from "@tanstack/react-query";
import { api, ask } from "../../api/client";
import { asProblem } from "../../api/problem";
import { t } from "../../texts";
import { ProblemAlert } from "../../ui/loaded";

/** Name and password. With `username` only that user can be logged in. */
export function LoginForm(props: { username?: string; onLoggedIn: () => void }) {
  const form = useForm({
    mode: "uncontrolled",
    initialValues: { username: props.username ?? "", password: "" },
  });
  const login = useMutation({
    mutationFn: (body: { username: string; password: string }) => ask(api.POST("/auth/login", { body })),
    onSuccess: props.onLoggedIn,
    onError: () => form.setFieldValue("password", ""),
  });
  const error = login.error && asProblem(login.error);
  const missing = (value: string) => (value ? null : t.login.missing);
  return (
    <form
      onSubmit={form.onSubmit((values) => {
        const errors = { username: missing(values.username), password: missing(values.password) };
        if (errors.username || errors.password) form.setErrors(errors);
        else login.mutate(values);
      })}
    >
      <Stack>
        {error &&
          (error.status === 401 ? (
            <ProblemAlert error={error} title={t.login.wrong} />
          ) : (
            <ProblemAlert error={error} />
          ))}
        <TextInput
          label={t.login.username}
          name="username"
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          readOnly={props.username !== undefined}
          data-autofocus={props.username === undefined || undefined}
          key={form.key("username")}
          {...form.getInputProps("username")}
        />
        <PasswordInput
          label={t.login.password}
          name="password"
          autoComplete="current-password"
          data-autofocus={props.username !== undefined || undefined}
          key={form.key("password")}
          {...form.getInputProps("password")}
        />
        <Button type="submit" fullWidth loading={login.isPending}>
          {t.login.submit}
        </Button>
      </Stack>
    </form>
  );
}
