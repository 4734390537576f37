import { t } from "../../texts";
import { PageHeader } from "../../ui/page";

export function AdminPage() {
  return <PageHeader title={t.admin.title} />;
}
