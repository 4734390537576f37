import { Outlet } from "@tanstack/react-router";
import { t } from "../../texts";
import { PageHeader } from "../../ui/page";
import { TabLinks } from "../../ui/tab-links";

export function WebhooksPage() {
  return (
    <>
      <PageHeader title={t.webhooks.title} />
      <TabLinks
        label={t.webhooks.title}
        tabs={[
          { to: "/app/webhooks", text: t.webhooks.tabs.endpoints, exact: true },
          { to: "/app/webhooks/deliveries", text: t.webhooks.tabs.deliveries },
          { to: "/app/webhooks/authentication", text: t.webhooks.tabs.authentication },
        ]}
      />
      <Outlet />
    </>
  );
}
