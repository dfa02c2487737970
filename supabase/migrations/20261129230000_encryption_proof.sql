-- What a computer with the key says of the encryption of the account, sealed with that key: that it is on, or off. The row alone proves
-- nothing, because whoever runs the project can write it.

alter table public.encryption add column if not exists proof text check (proof ~ '^v1[.][0-9a-f]{32}[.]');
