// Generated from supabase/migrations by `node electron/core/adapters/cold-supabase/testing/write-types.ts`. A test holds it fresh.
export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[]
export type Database = {
"public": {
Tables: {
"archives": {
Row: {
"branch": string | null,
"bytes": number,
"content_bytes": number,
"created_at": string,
"device": string,
"files": number,
"id": string,
"left_out": NonNullable<Json>,
"parent_id": string | null,
"path": string,
"project_id": string,
"reason": string,
"replaced_until": string | null,
"saved_at": string,
"sealed": string | null,"sha256": string,
"user_id": string
}
ComputedFields: never
Insert: {
"branch"?: string | null,
"bytes": number,
"content_bytes": number,
"created_at"?: string,
"device": string,
"files": number,
"id": string,
"left_out"?: NonNullable<Json>,
"parent_id"?: string | null,
"path": string,
"project_id": string,
"reason": string,
"replaced_until"?: string | null,
"saved_at": string,
"sealed"?: string | null,"sha256": string,
"user_id"?: string
}
Update: {
"branch"?: string | null,
"bytes"?: number,
"content_bytes"?: number,
"created_at"?: string,
"device"?: string,
"files"?: number,
"id"?: string,
"left_out"?: NonNullable<Json>,
"parent_id"?: string | null,
"path"?: string,
"project_id"?: string,
"reason"?: string,
"replaced_until"?: string | null,
"saved_at"?: string,
"sealed"?: string | null,"sha256"?: string,
"user_id"?: string
}
Relationships: [
{
foreignKeyName: "archives_user_id_project_id_fkey"
columns: ["user_id","project_id"]
isOneToOne: false
referencedRelation: "projects"
referencedColumns: ["user_id","id"]
}
]
},
"encryption": {
Row: {
"enabled": boolean,
"key_id": string,
"proof": string | null,
"rev": number,
"updated_at": string,
"user_id": string
}
ComputedFields: never
Insert: {
"enabled": boolean,
"key_id": string,
"proof"?: string | null,
"rev"?: number,
"updated_at"?: string,
"user_id"?: string
}
Update: {
"enabled"?: boolean,
"key_id"?: string,
"proof"?: string | null,
"rev"?: number,
"updated_at"?: string,
"user_id"?: string
}
Relationships: [
]
},
"projects": {
Row: {
"archive_bytes": number | null,
"archive_id": string | null,
"archive_path": string | null,"archive_sha256": string | null,
"archived_at": string | null,
"created_at": string,
"deleted_at": string | null,
"id": string,
"name": string,
"rev": number,
"settings": NonNullable<Json>,
"template_type": string | null,
"updated_at": string,
"user_id": string
}
ComputedFields: never
Insert: {
"archive_bytes"?: number | null,
"archive_id"?: string | null,
"archive_path"?: string | null,"archive_sha256"?: string | null,
"archived_at"?: string | null,
"created_at"?: string,
"deleted_at"?: string | null,
"id": string,
"name": string,
"rev"?: number,
"settings"?: NonNullable<Json>,
"template_type"?: string | null,
"updated_at"?: string,
"user_id"?: string
}
Update: {
"archive_bytes"?: number | null,
"archive_id"?: string | null,
"archive_path"?: string | null,"archive_sha256"?: string | null,
"archived_at"?: string | null,
"created_at"?: string,
"deleted_at"?: string | null,
"id"?: string,
"name"?: string,
"rev"?: number,
"settings"?: NonNullable<Json>,
"template_type"?: string | null,
"updated_at"?: string,
"user_id"?: string
}
Relationships: [
{
foreignKeyName: "projects_archive"
columns: ["user_id","id","archive_id"]
isOneToOne: false
referencedRelation: "archives"
referencedColumns: ["user_id","project_id","id"]
}
]
},
"sessions": {
Row: {
"created_at": string,
"device": string,
"device_id": string,
"heartbeat_at": string,
"host": string | null,
"id": string,
"ip_address": string | null,
"project_id": string,
"status": string,
"user_id": string,
"vm_id": string | null
}
ComputedFields: never
Insert: {
"created_at"?: string,
"device": string,
"device_id": string,
"heartbeat_at"?: string,
"host"?: string | null,
"id"?: string,
"ip_address"?: string | null,
"project_id": string,
"status"?: string,
"user_id"?: string,
"vm_id"?: string | null
}
Update: {
"created_at"?: string,
"device"?: string,
"device_id"?: string,
"heartbeat_at"?: string,
"host"?: string | null,
"id"?: string,
"ip_address"?: string | null,
"project_id"?: string,
"status"?: string,
"user_id"?: string,
"vm_id"?: string | null
}
Relationships: [
{
foreignKeyName: "sessions_user_id_project_id_fkey"
columns: ["user_id","project_id"]
isOneToOne: false
referencedRelation: "projects"
referencedColumns: ["user_id","id"]
}
]
}
}
Views: {
[_ in never]: never
}
Functions: {
"allow_replacement":
{ Args: { "p_path": string }; Returns: number
},
"claim_session":
{ Args: { "p_device": string,
"p_device_id": string,
"p_project_id": string,
"p_take_over"?: boolean,
"p_vm_id": string }; Returns: {
"device": string,
"held": boolean,
"session_id": string,
"since": string
}[]
}
}
Enums: {
[_ in never]: never
}
CompositeTypes: {
[_ in never]: never
}
}
}
type DatabaseWithoutInternals = Omit<Database, '__InternalSupabase'>
type DefaultSchema = DatabaseWithoutInternals[Extract<keyof Database, "public">]
export type Tables<
DefaultSchemaTableNameOrOptions extends
| keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
| { schema: keyof DatabaseWithoutInternals },
TableName extends DefaultSchemaTableNameOrOptions extends {
schema: keyof DatabaseWithoutInternals
}
? keyof (DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"] &
DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"])
: never = never
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
? (DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"] &
DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"])[TableName] extends {
Row: infer R
}
? R
: never
: DefaultSchemaTableNameOrOptions extends keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
? (DefaultSchema["Tables"] & DefaultSchema["Views"])[DefaultSchemaTableNameOrOptions] extends {
Row: infer R
}
? R
: never
: never
export type TablesInsert<
DefaultSchemaTableNameOrOptions extends
| keyof DefaultSchema["Tables"]
| { schema: keyof DatabaseWithoutInternals },
TableName extends DefaultSchemaTableNameOrOptions extends {
schema: keyof DatabaseWithoutInternals
}
? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
: never = never
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends {
Insert: infer I
}
? I
: never
: DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
Insert: infer I
}
? I
: never
: never
export type TablesUpdate<
DefaultSchemaTableNameOrOptions extends
| keyof DefaultSchema["Tables"]
| { schema: keyof DatabaseWithoutInternals },
TableName extends DefaultSchemaTableNameOrOptions extends {
schema: keyof DatabaseWithoutInternals
}
? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
: never = never
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends {
Update: infer U
}
? U
: never
: DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
Update: infer U
}
? U
: never
: never
export type Enums<
DefaultSchemaEnumNameOrOptions extends
| keyof DefaultSchema["Enums"]
| { schema: keyof DatabaseWithoutInternals },
EnumName extends DefaultSchemaEnumNameOrOptions extends {
schema: keyof DatabaseWithoutInternals
}
? keyof DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"]
: never = never
> = DefaultSchemaEnumNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
? DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"][EnumName]
: DefaultSchemaEnumNameOrOptions extends keyof DefaultSchema["Enums"]
? DefaultSchema["Enums"][DefaultSchemaEnumNameOrOptions]
: never
export type CompositeTypes<
PublicCompositeTypeNameOrOptions extends
| keyof DefaultSchema["CompositeTypes"]
| { schema: keyof DatabaseWithoutInternals },
CompositeTypeName extends PublicCompositeTypeNameOrOptions extends {
schema: keyof DatabaseWithoutInternals
}
? keyof DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"]
: never = never
> = PublicCompositeTypeNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
? DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"][CompositeTypeName]
: PublicCompositeTypeNameOrOptions extends keyof DefaultSchema["CompositeTypes"]
? DefaultSchema["CompositeTypes"][PublicCompositeTypeNameOrOptions]
: never
export const Constants = {
"public": {
Enums: {
}
}
} as const
