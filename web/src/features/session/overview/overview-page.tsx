import { sessionRoute } from "../routes";
import classes from "./overview-page.module.css";
import { Timeline } from "./timeline";
import { Traffic } from "./traffic";

/** How a session is doing, and how it was. */
export function OverviewPage() {
  const { name } = sessionRoute.useParams();
  return (
    <div className={classes.columns}>
      <Traffic name={name} />
      <Timeline name={name} />
    </div>
  );
}
