import { Outlet } from "@tanstack/react-router";
import { t } from "../../texts";
import { PageHeader } from "../../ui/page";
import { TabLinks } from "../../ui/tab-links";

export function AdminPage() {
  return (
    <>
      <PageHeader title={t.admin.title} />
      <TabLinks
        label={t.admin.title}
        tabs={[
          { to: "/app/admin", text: t.admin.tabs.overview, exact: true },
          { to: "/app/admin/users", text: t.admin.tabs.users },
          { to: "/app/admin/audit", text: t.admin.tabs.audit },
        ]}
      />
      <Outlet />
    </>
  );
}
