import { SimpleGrid, Textarea, TextInput } from "@mantine/core";
import { t } from "../../../texts";
import type { Errors, Typed } from "./build-message";
import { FileField } from "./file-field";
import { FILES, isFileKind, type Kind } from "./kinds";

export interface Fields {
  typed: Typed;
  errors: Errors;
  put: (change: Partial<Typed>) => void;
}

type TextField = { [Field in keyof Typed]: Typed[Field] extends string ? Field : never }[keyof Typed];

/** The fields of one kind of message. */
export function KindFields({ kind, ...fields }: Fields & { kind: Kind }) {
  const { typed, errors, put } = fields;
  const texts = t.session.form;
  const input = (field: TextField) => ({
    name: field,
    value: typed[field],
    error: errors[field],
    autoComplete: "off",
    onChange: ({ currentTarget }: { currentTarget: { value: string } }) =>
      put({ [field]: currentTarget.value }),
  });
  if (isFileKind(kind)) {
    return (
      <>
        <FileField kind={kind} {...fields} />
        {kind === "document" && (
          <TextInput
            label={typed.source === "url" ? texts.documentName : texts.optional(texts.documentName)}
            {...input("documentName")}
          />
        )}
        {FILES[kind].caption && (
          <Textarea label={texts.optional(texts.caption)} autosize minRows={2} {...input("text")} />
        )}
      </>
    );
  }
  switch (kind) {
    case "location":
      return (
        <>
          <SimpleGrid cols={2}>
            <TextInput
              label={texts.latitude}
              inputMode="decimal"
              placeholder="-6.1754"
              {...input("latitude")}
            />
            <TextInput
              label={texts.longitude}
              inputMode="decimal"
              placeholder="106.8272"
              {...input("longitude")}
            />
          </SimpleGrid>
          <TextInput label={texts.optional(texts.placeName)} {...input("placeName")} />
          <TextInput label={texts.optional(texts.address)} {...input("address")} />
        </>
      );
    case "contact":
      return (
        <>
          <TextInput label={texts.contactName} {...input("contactName")} />
          <TextInput label={texts.phone} type="tel" {...input("phone")} />
          <TextInput label={texts.optional(texts.organization)} {...input("organization")} />
        </>
      );
    case "poll":
      return (
        <>
          <TextInput label={texts.question} {...input("question")} />
          <Textarea
            label={texts.options}
            description={texts.optionsAbout}
            autosize
            minRows={3}
            {...input("options")}
          />
          <TextInput label={texts.selectable} inputMode="numeric" maw={200} {...input("selectable")} />
        </>
      );
    case "reaction":
      return (
        <>
          <TextInput label={texts.messageId} description={texts.messageIdAbout} {...input("messageId")} />
          <TextInput label={texts.emoji} description={texts.emojiAbout} maw={200} {...input("emoji")} />
        </>
      );
    default:
      return <Textarea label={texts.text} autosize minRows={4} maxRows={14} {...input("text")} />;
  }
}
