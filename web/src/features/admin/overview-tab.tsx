import { Stack } from "@mantine/core";
import { FleetCards } from "./fleet-cards";
import { Runners } from "./runners";

export function OverviewTab() {
  return (
    <Stack gap="lg">
      <FleetCards />
      <Runners />
    </Stack>
  );
}
