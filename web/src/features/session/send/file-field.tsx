import { Button, FileButton, Input, SegmentedControl, Text, TextInput } from "@mantine/core";
import "@mantine/core/styles/FloatingIndicator.css";
import "@mantine/core/styles/SegmentedControl.css";
import { Upload } from "lucide-react";
import { type DragEvent, useState } from "react";
import { t } from "../../../texts";
import { bytes } from "../../../ui/format";
import type { Fields } from "./kind-fields";
import { FILES, type FileKind } from "./kinds";
import classes from "./send-page.module.css";

/** A file: from this device, by a dialog or dropped, or from an address. */
export function FileField({ kind, typed, errors, put }: Fields & { kind: FileKind }) {
  const [over, setOver] = useState(false);
  const texts = t.session.form;
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    const file = event.dataTransfer.files[0];
    if (file) put({ file });
  };
  return (
    <>
      <Input.Wrapper label={texts.source} labelElement="div">
        <div>
          <SegmentedControl
            aria-label={texts.source}
            value={typed.source}
            onChange={(source) => put({ source: source === "url" ? "url" : "file" })}
            data={Object.entries(texts.sources).map(([value, label]) => ({ value, label }))}
          />
        </div>
      </Input.Wrapper>
      {typed.source === "url" ? (
        <TextInput
          label={texts.url}
          description={texts.takes[kind]}
          type="url"
          placeholder="https://"
          value={typed.url}
          error={errors.url}
          onChange={({ currentTarget }) => put({ url: currentTarget.value })}
        />
      ) : (
        <Input.Wrapper
          label={texts.file}
          labelElement="div"
          description={texts.takes[kind]}
          error={errors.file}
        >
          {/* biome-ignore lint/a11y/noStaticElementInteractions: the button within does the same without a pointer */}
          <div
            className={classes.drop}
            data-over={over || undefined}
            onDragOver={(event) => {
              event.preventDefault();
              setOver(true);
            }}
            onDragLeave={() => setOver(false)}
            onDrop={drop}
          >
            <FileButton accept={FILES[kind].accept} onChange={(file) => file && put({ file })}>
              {(button) => (
                <Button {...button} variant="default" leftSection={<Upload size={16} aria-hidden />}>
                  {texts.choose}
                </Button>
              )}
            </FileButton>
            <Text c="dimmed" size="sm" className={classes.file}>
              {typed.file ? `${typed.file.name} · ${bytes(typed.file.size)}` : texts.drop}
            </Text>
          </div>
        </Input.Wrapper>
      )}
    </>
  );
}
