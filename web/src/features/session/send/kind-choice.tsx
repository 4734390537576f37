import {
  AudioLines,
  ChartColumn,
  Clapperboard,
  Contact,
  FileText,
  Image,
  MapPin,
  MessageSquareText,
  Mic,
  SmilePlus,
  Sticker,
} from "lucide-react";
import { t } from "../../../texts";
import { KINDS, type Kind } from "./kinds";
import classes from "./send-page.module.css";

const ICONS: Record<Kind, typeof Image> = {
  text: MessageSquareText,
  image: Image,
  document: FileText,
  video: Clapperboard,
  audio: AudioLines,
  voice: Mic,
  sticker: Sticker,
  location: MapPin,
  contact: Contact,
  poll: ChartColumn,
  reaction: SmilePlus,
};

/** What to send: all kinds at a glance, one of them chosen. */
export function KindChoice(props: { kind: Kind; onChange: (kind: Kind) => void }) {
  return (
    <fieldset className={classes.kinds}>
      <legend className={classes.legend}>{t.session.form.kind}</legend>
      {KINDS.map((kind) => {
        const Icon = ICONS[kind];
        return (
          <label key={kind} className={classes.kind}>
            <input
              type="radio"
              name="kind"
              value={kind}
              checked={kind === props.kind}
              onChange={() => props.onChange(kind)}
            />
            <Icon size={18} aria-hidden />
            {t.session.kinds[kind]}
          </label>
        );
      })}
    </fieldset>
  );
}
