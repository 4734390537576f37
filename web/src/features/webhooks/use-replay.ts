import { notifications } from "@mantine/notifications";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { t } from "../../texts";
import { replay } from "./deliveries";

/** Makes a delivery due now, says so, and shows it as it is then. */
export function useReplay(id: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: () => replay(id),
    onSuccess: async () => {
      notifications.show({ message: t.webhooks.deliveries.replayed });
      await queries.invalidateQueries({ queryKey: ["delivery", id] });
      await queries.invalidateQueries({ queryKey: ["deliveries"] });
    },
    onError: (error) => {
      notifications.show({ message: error.message, color: "red" });
    },
  });
}
