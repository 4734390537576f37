/** What can be sent. */
export const KINDS = [
  "text",
  "image",
  "document",
  "video",
  "audio",
  "voice",
  "sticker",
  "location",
  "contact",
  "poll",
  "reaction",
] as const;

export type Kind = (typeof KINDS)[number];

export type FileKind = "image" | "document" | "video" | "audio" | "voice" | "sticker";

/** How a file of each kind is named by its address, what a file dialog offers, and whether it has a caption. */
export const FILES: Record<FileKind, { url: string; accept: string; caption: boolean }> = {
  image: { url: "image_url", accept: "image/jpeg,image/png,image/webp", caption: true },
  document: { url: "document_url", accept: "", caption: true },
  video: { url: "video_url", accept: "video/mp4,video/3gpp", caption: true },
  audio: { url: "audio_url", accept: "audio/*", caption: false },
  voice: { url: "audio_url", accept: "audio/ogg,.ogg,.opus", caption: false },
  sticker: { url: "image_url", accept: "image/webp,image/png,image/jpeg", caption: false },
};

export const isFileKind = (kind: Kind): kind is FileKind => kind in FILES;
