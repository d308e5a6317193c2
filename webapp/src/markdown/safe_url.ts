/** Which addresses in an answer may become links or images. Everything else stays text. */

const linkSchemes = new Set(['http:', 'https:', 'mailto:']);
// No SVG: it can carry scripts when it is opened by itself.
const inlineImage = /^data:image\/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]+$/;

export type SafeLink = { href: string; host: string };

/** The address as the browser will read it, and whom it leads to; undefined when it may not be a link. */
export function safeLink(written: string): SafeLink | undefined {
  if (!URL.canParse(written.trim())) return undefined;
  const url = new URL(written.trim());
  if (!linkSchemes.has(url.protocol)) return undefined;
  const host = url.protocol === 'mailto:' ? url.pathname : url.host;
  return host ? { href: url.href, host } : undefined;
}

export type SafeImage = { src: string; host: string; isRemote: boolean };

/** An image that may be shown; a remote one only after a click, as loading it tells its host. */
export function safeImage(written: string): SafeImage | undefined {
  if (inlineImage.test(written)) return { src: written, host: '', isRemote: false };
  const link = safeLink(written);
  if (!link || link.href.startsWith('mailto:')) return undefined;
  return { src: link.href, host: link.host, isRemote: true };
}
