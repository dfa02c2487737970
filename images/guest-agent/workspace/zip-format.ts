/** Numbers of the zip format (PKWARE APPNOTE 6.3.10; section numbers in brackets). */
export const LOCAL_SIGNATURE = 0x04034b50; // [4.3.7]
export const CENTRAL_SIGNATURE = 0x02014b50; // [4.3.12]
export const END_SIGNATURE = 0x06054b50; // [4.3.16]
export const END64_SIGNATURE = 0x06064b50; // [4.3.14]
export const END64_LOCATOR_SIGNATURE = 0x07064b50; // [4.3.15]
export const LOCAL_BYTES = 30;
export const CENTRAL_BYTES = 46;
export const END_BYTES = 22;
export const END64_BYTES = 56;
export const END64_LOCATOR_BYTES = 20;
export const MAX_COMMENT_BYTES = 0xffff;
export const LIMIT_16 = 0xffff;
export const LIMIT_32 = 0xffffffff;

export const FLAG_ENCRYPTED = 1 << 0;
export const FLAG_STRONG_ENCRYPTION = 1 << 6;
export const FLAG_UTF8 = 1 << 11;
export const FLAG_MASKED_HEADERS = 1 << 13;

export const METHOD_STORED = 0;
export const METHOD_DEFLATED = 8;

export { EXTRA_OWNER, EXTRA_VESSEL, METHOD_SPARSE } from '#shared/archive-fields.ts';
/** Extra fields [4.5]. */
export const EXTRA_ZIP64 = 0x0001;
export const EXTRA_NTFS = 0x000a;
export const EXTRA_TIMESTAMP = 0x5455;
export const EXTRA_UNICODE_PATH = 0x7075;

/** Upper byte of "version made by" [4.4.2.2] for Unix: the external attributes then hold st_mode. */
export const MADE_BY_UNIX = 3;
export const MADE_BY_DARWIN = 19;

/** File type bits of st_mode (inode(7)). */
export const TYPE_MASK = 0o170000;
export const TYPE_FILE = 0o100000;
export const TYPE_FOLDER = 0o040000;
export const TYPE_LINK = 0o120000;

/** NTFS times count 100 ns from 1601; this is the Unix epoch in seconds. */
export const NTFS_EPOCH_SECONDS = 11_644_473_600;
