import {
  ArrowDownLeft,
  ArrowUpRight,
  Check,
  CheckCheck,
  CircleX,
  Clock,
  Paperclip,
  Reply,
  SmilePlus,
} from "lucide-react";
import { memo } from "react";
import type { ListedMessage } from "../../../api/types";
import { apiUrl } from "../../../base";
import { t } from "../../../texts";
import { moment, shortMoment } from "../../../ui/format";
import { TextLink } from "../../../ui/links";
import { useNow } from "../../../ui/time";
import { chatName, failureInWords, kindName, personName } from "./message-words";
import classes from "./messages-page.module.css";

const STATE_ICONS: Record<string, typeof Check> = {
  queued: Clock,
  sending: Clock,
  sent: Check,
  delivered: CheckCheck,
  read: CheckCheck,
  failed: CircleX,
};

/** One message, what became of it, and what can be done with it. */
export const MessageRow = memo(function MessageRow(props: { session: string; message: ListedMessage }) {
  const { message, session } = props;
  const now = useNow();
  const texts = t.session.list;
  const out = message.direction === "out";
  const Direction = out ? ArrowUpRight : ArrowDownLeft;
  return (
    <li className={classes.row}>
      <Direction className={classes.direction} data-direction={message.direction} size={18} aria-hidden />
      <div className={classes.what}>
        <div className={classes.who}>
          {out
            ? texts.to(chatName(message.chat))
            : texts.from(personName(message.sender_name || message.sender, message.chat))}
        </div>
        <div className={classes.text}>
          {message.kind !== "text" && <span className={classes.kind}>{kindName(message.kind)}</span>}
          {message.text}
          {message.text_cut && " …"}
          {message.media?.file_name && <span className={classes.fileName}>{message.media.file_name}</span>}
        </div>
        {message.state === "failed" && (
          <div className={classes.failure}>{failureInWords(message.error?.code, message.error?.reason)}</div>
        )}
        <div className={classes.acts} data-over={message.state === "failed" || undefined}>
          {message.media?.state === "missing" && <span className={classes.act}>{texts.missing}</span>}
          {message.media?.state === "pending" && <span className={classes.act}>{texts.pending}</span>}
          {message.media?.path && (
            <a className={classes.act} href={apiUrl(message.media.path)} target="_blank" rel="noreferrer">
              <Paperclip size={14} aria-hidden />
              {texts.file}
            </a>
          )}
          {!["queued", "failed"].includes(message.state) && (
            <>
              <TextLink
                className={classes.act}
                to="/app/sessions/$name/send"
                params={{ name: session }}
                search={{ to: message.chat, quoted: message.message_id }}
              >
                <Reply size={14} aria-hidden />
                {texts.quote}
              </TextLink>
              <TextLink
                className={classes.act}
                to="/app/sessions/$name/send"
                params={{ name: session }}
                search={{ kind: "reaction", to: message.chat, message: message.message_id }}
              >
                <SmilePlus size={14} aria-hidden />
                {texts.reply}
              </TextLink>
            </>
          )}
        </div>
      </div>
      <div className={classes.state}>
        <time dateTime={message.at} title={moment(message.at)}>
          {shortMoment(message.at, now)}
        </time>
        {out && <State state={message.state} at={message.state_at} />}
      </div>
    </li>
  );
});

function State(props: { state: string; at?: string | null }) {
  const Icon = STATE_ICONS[props.state] ?? Clock;
  const word = (t.session.list.states as Record<string, string>)[props.state] ?? props.state;
  return (
    <span className={classes.mark} data-state={props.state} title={props.at ? moment(props.at) : undefined}>
      <Icon size={15} aria-hidden />
      {word}
    </span>
  );
}
