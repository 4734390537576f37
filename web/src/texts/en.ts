import { admin } from "./en/admin";
import { common } from "./en/common";
import { keys } from "./en/keys";
import { link } from "./en/link";
import { login } from "./en/login";
import { problems } from "./en/problems";
import { session } from "./en/session";
import { sessions } from "./en/sessions";
import { states } from "./en/states";
import { webhooks } from "./en/webhooks";

export const en = { common, problems, login, states, sessions, session, link, webhooks, keys, admin };
