import { t } from "../../texts";
import { PageHeader } from "../../ui/page";

export function WebhooksPage() {
  return <PageHeader title={t.webhooks.title} />;
}
