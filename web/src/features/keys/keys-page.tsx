import { t } from "../../texts";
import { PageHeader } from "../../ui/page";

export function KeysPage() {
  return <PageHeader title={t.keys.title} />;
}
