import { t } from "../../texts";
import { PageHeader } from "../../ui/page";

export function SessionsPage() {
  return <PageHeader title={t.sessions.title} />;
}
