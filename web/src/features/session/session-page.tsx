import { PageHeader } from "../../ui/page";
import { sessionRoute } from "./routes";

export function SessionPage() {
  const { name } = sessionRoute.useParams();
  return <PageHeader title={name} />;
}
